package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"io"
	"net"
	"strings"
	"testing"

	"crm/bench/load"
	"crm/internal/platform/mail"
)

func TestCrowdIsTheSameEveryTimeAndNobodyTwice(t *testing.T) {
	t.Parallel()
	people, again := newCrowd().people(5000), newCrowd().people(5000)
	seen := map[string]bool{}
	for i, p := range people {
		if p != again[i] {
			t.Fatalf("person %d differs between runs", i)
		}
		seen[p.Email] = true
	}
	if len(seen) != 5000 {
		t.Errorf("%d different addresses", len(seen))
	}
}

func TestBatchFitsTheLimitOfABody(t *testing.T) {
	t.Parallel()
	body, err := batch(newCrowd().people(batchSize))
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Operations []struct {
			Op   string
			Data map[string]string
		}
	}
	if err := json.Unmarshal(body, &got); err != nil {
		t.Fatal(err)
	}
	if len(body) > 1<<20 || len(got.Operations) != batchSize || got.Operations[0].Op != "create" || got.Operations[0].Data["last_name"] == "" {
		t.Errorf("%d bytes, %d operations", len(body), len(got.Operations))
	}
}

func TestLeadsHaveEnoughOutcomesToLearnFrom(t *testing.T) {
	t.Parallel()
	file, err := newCrowd().leadsCSV(4000)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(bytes.NewReader(file)).ReadAll()
	if err != nil || len(rows) != 4001 {
		t.Fatalf("%d rows: %v", len(rows), err)
	}
	count := map[string]int{}
	for _, r := range rows[1:] {
		count[r[8]]++
	}
	if count["converted"] < 300 || count["disqualified"] < 1000 || count["new"] < 500 {
		t.Errorf("outcomes %v", count)
	}
}

func TestShuffledReachesEveryRequest(t *testing.T) {
	t.Parallel()
	next := shuffled([][]byte{load.Get("/a"), load.Get("/b"), load.Get("/c")})
	seen := map[string]bool{}
	for n := range 3 {
		seen[string(next(1, n))] = true
	}
	if len(seen) != 3 || !bytes.Equal(next(1, 0), next(1, 3)) {
		t.Errorf("%d requests", len(seen))
	}
}

func TestSinkProcessCounts(t *testing.T) {
	t.Parallel()
	toSink, in := io.Pipe()
	out, fromSink := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- serveSink(toSink, fromSink) }()
	var addr string
	answers := json.NewDecoder(lineReader(t, out, &addr))
	host, port, err := net.SplitHostPort(addr)
	if err != nil || host != "127.0.0.1" || port == "" {
		t.Fatalf("address %q: %v", addr, err)
	}
	send(t, addr)
	var stats struct{ Messages int }
	_, _ = io.WriteString(in, "stats\n")
	if err := answers.Decode(&stats); err != nil || stats.Messages != 1 {
		t.Errorf("stats: %d messages, %v", stats.Messages, err)
	}
	_, _ = io.WriteString(in, "reset\n")
	if err := answers.Decode(&stats); err != nil || stats.Messages != 0 {
		t.Errorf("reset: %d messages, %v", stats.Messages, err)
	}
	_ = in.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// lineReader takes the first line off a stream.
func lineReader(t *testing.T, r io.Reader, line *string) io.Reader {
	t.Helper()
	var b strings.Builder
	for one := make([]byte, 1); ; {
		if _, err := r.Read(one); err != nil {
			t.Fatal(err)
		}
		if one[0] == '\n' {
			*line = b.String()
			return r
		}
		b.WriteByte(one[0])
	}
}

func send(t *testing.T, addr string) {
	t.Helper()
	settings, err := settingsOf(addr)
	if err != nil {
		t.Fatal(err)
	}
	sender, err := mail.NewSender(settings)
	if err != nil {
		t.Fatal(err)
	}
	defer sender.Close()
	if _, err := sender.Send(t.Context(), letterFrom, "a@example.com", []byte("Subject: x\r\n\r\nx\r\n")); err != nil {
		t.Fatal(err)
	}
}
