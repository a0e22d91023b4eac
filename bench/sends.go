package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"crm/bench/installed"
	"crm/bench/load"
	"crm/internal/platform/mail"
	"crm/internal/platform/mail/smtptest"
)

// serveSink accepts mail in a process of its own: it says its address, and after that answers each line "reset" or
// "stats" with its counts.
func serveSink(in io.Reader, out io.Writer) error {
	sink, err := smtptest.Listen(smtptest.Options{DropRaw: true})
	if err != nil {
		return err
	}
	defer sink.Close()
	fmt.Fprintln(out, sink.Addr())
	answers := json.NewEncoder(out)
	for lines := bufio.NewScanner(in); lines.Scan(); {
		if lines.Text() == "reset" {
			sink.Reset()
		}
		if err := answers.Encode(sink.Stats()); err != nil {
			return err
		}
	}
	return nil
}

const (
	letterSubject = "An offer for you"
	letterFrom    = "sales@alpha.test"
)

var letterBody = "<p>Dear reader,</p>" + strings.Repeat("<p>A paragraph of an ordinary mail, about eighty characters long, as usual.</p>\n", 20)

// sending hands messages to the API and waits until the mail server has them all. The peer sends as many ready-made
// messages through the mail sender alone, to the same server. send_accept is the rate of the API's answers, while the
// first messages are already leaving.
func sending(ctx context.Context, s *suite) ([]figure, error) {
	sink, err := installed.NewChild(ctx, "sink")
	if err != nil {
		return nil, err
	}
	defer func() { complain(sink.Close()) }()
	addr, err := sink.Line()
	if err != nil {
		return nil, err
	}
	settings, err := settingsOf(addr)
	if err != nil {
		return nil, err
	}
	provider := map[string]any{
		"name": "Sink", "channel": "email", "type": "smtp", "priority": 1,
		"settings": map[string]any{"host": settings.Host, "port": settings.Port, "tls": "none", "from": letterFrom},
	}
	if err := s.api.Call(ctx, http.MethodPost, "/providers", provider, nil); err != nil {
		return nil, err
	}
	each := s.opt.size(125, 25)
	alone, err := s.alone(sink, settings, each)
	if err != nil {
		return nil, err
	}
	var accepted []float64
	d, err := fight(ctx, min(s.opt.rounds, 3), s.throughAPI(sink, each, &accepted), alone)
	if err != nil {
		return nil, err
	}
	return append(d.costs("send", "messages/s", "message", "sender"), rounds("send_accept", "messages/s", accepted, "", nil)), nil
}

// settingsOf are the mail sender's for a server without TLS on this machine.
func settingsOf(addr string) (mail.Settings, error) {
	host, portText, err := net.SplitHostPort(addr)
	if err != nil {
		return mail.Settings{}, err
	}
	port, err := strconv.Atoi(portText)
	return mail.Settings{Host: host, Port: port, TLS: mail.TLSNone, Dial: (&net.Dialer{}).DialContext}, err
}

// throughAPI also collects the rates at which messages were accepted.
func (s *suite) throughAPI(sink *installed.Child, each int, accepted *[]float64) side {
	return side{cpu: s.ourCPU, run: func(ctx context.Context, round int) (*load.Result, error) {
		next := func(conn, n int) []byte {
			body, err := json.Marshal(map[string]any{
				"channel": "email", "to": fmt.Sprintf("r%d.%d.%d@example.com", round, conn, n),
				"subject": letterSubject, "body": letterBody, "class": "transactional",
			})
			if err != nil {
				return nil // cannot be: only texts
			}
			return load.Post("/api/v1/messages", body, s.api.Bearer())
		}
		plan := load.Plan{Addr: s.srv.Addr, Shape: load.Shape{Conns: conns, Each: each}, Want: http.StatusAccepted, Next: next}
		return delivered(ctx, sink, conns*each, func() error {
			got, err := load.Run(ctx, plan)
			if err == nil {
				*accepted = append(*accepted, got.Rate())
			}
			return err
		})
	}}
}

func (s *suite) alone(sink *installed.Child, settings mail.Settings, each int) (side, error) {
	sender, err := mail.NewSender(settings)
	if err != nil {
		return side{}, err
	}
	letter := mail.Message{
		From: mail.Address{Email: letterFrom}, To: []mail.Address{{Email: "reader@example.com"}}, Subject: letterSubject,
		HTML: letterBody, MessageID: mail.NewMessageID("alpha.test"), Date: time.Now(),
	}
	raw, err := letter.Bytes()
	if err != nil {
		return side{}, err
	}
	return side{cpu: loneCPU, run: func(ctx context.Context, round int) (*load.Result, error) {
		return delivered(ctx, sink, conns*each, func() error {
			_, err := load.Do(ctx, load.Shape{Conns: conns, Each: each}, func(ctx context.Context, conn, n int) error {
				_, err := sender.Send(ctx, letterFrom, fmt.Sprintf("s%d.%d.%d@example.com", round, conn, n), raw)
				return err
			})
			return err
		})
	}}, nil
}

// patience is how long no further message may arrive before the rest is taken for lost.
const patience = 30 * time.Second

// delivered counts from the first word to the last arrival at the mail server.
func delivered(ctx context.Context, sink *installed.Child, want int, send func() error) (*load.Result, error) {
	if _, err := sink.Ask("reset"); err != nil {
		return nil, err
	}
	start := time.Now()
	if err := send(); err != nil {
		return nil, err
	}
	seen, since := 0, time.Now()
	for ctx.Err() == nil {
		stats, err := ask(sink)
		if err != nil {
			return nil, err
		}
		if stats.Messages >= want {
			if stats.Duplicates > 0 {
				return nil, fmt.Errorf("%d of %d messages arrived twice", stats.Duplicates, want)
			}
			return &load.Result{Done: want, Elapsed: stats.Last.Sub(start), Times: []time.Duration{stats.Last.Sub(start)}}, nil
		}
		if stats.Messages > seen {
			seen, since = stats.Messages, time.Now()
		}
		if time.Since(since) > patience {
			return nil, fmt.Errorf("only %d of %d messages arrived", seen, want)
		}
		time.Sleep(5 * time.Millisecond)
	}
	return nil, errors.New("interrupted")
}

func ask(sink *installed.Child) (smtptest.Stats, error) {
	var stats smtptest.Stats
	line, err := sink.Ask("stats")
	if err != nil {
		return stats, err
	}
	err = json.Unmarshal([]byte(line), &stats)
	return stats, err
}
