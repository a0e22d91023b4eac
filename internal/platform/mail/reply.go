package mail

import (
	"bufio"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

const (
	maxReplyLines = 128
	maxReplyText  = 500
	// readBuffer also bounds one line of an answer; RFC 5321 allows 512 bytes.
	readBuffer = 4096
)

var errReply = errors.New("the server does not speak smtp correctly")

// reply is one answer, all its lines.
type reply struct {
	code     int
	enhanced string   // "x.y.z" or empty
	text     string   // printable, on one line, shortened
	lines    []string // without codes, only for the answer to EHLO
}

func (r reply) ok() bool { return r.code >= 200 && r.code < 300 }

// readReply reads one answer, however hostile the server: length and number of lines are bounded.
func readReply(r *bufio.Reader) (reply, error) {
	var out reply
	var text strings.Builder
	for n := 0; ; n++ {
		if n == maxReplyLines {
			return reply{}, fmt.Errorf("%w: more than %d lines in one answer", errReply, maxReplyLines)
		}
		code, rest, more, err := readLine(r)
		if err != nil {
			return reply{}, err
		}
		if n > 0 && code != out.code {
			return reply{}, fmt.Errorf("%w: codes %d and %d in one answer", errReply, out.code, code)
		}
		out.code = code
		if n > 0 {
			out.lines = append(out.lines, rest)
		}
		enhanced, words := splitEnhanced(rest, code)
		if out.enhanced == "" {
			out.enhanced = enhanced
		}
		if text.Len() < maxReplyText {
			text.WriteString(words)
			text.WriteByte(' ')
		}
		if !more {
			out.text = printable(text.String())
			return out, nil
		}
	}
}

// readLine parses "250-text" or "250 text".
func readLine(r *bufio.Reader) (code int, rest string, more bool, err error) {
	line, err := r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return 0, "", false, fmt.Errorf("%w: a line is longer than %d bytes", errReply, readBuffer)
	}
	if err != nil {
		return 0, "", false, err
	}
	text := strings.TrimRight(string(line), "\r\n")
	if len(text) < 3 {
		return 0, "", false, fmt.Errorf("%w: an answer has no code", errReply)
	}
	code, err = strconv.Atoi(text[:3])
	if err != nil || code < 200 || code > 599 {
		return 0, "", false, fmt.Errorf("%w: an answer has no code", errReply)
	}
	if len(text) == 3 {
		return code, "", false, nil
	}
	if text[3] != ' ' && text[3] != '-' {
		return 0, "", false, fmt.Errorf("%w: an answer has no code", errReply)
	}
	return code, text[4:], text[3] == '-', nil
}

// splitEnhanced cuts "5.1.1 " off the front when it is a status code of the same kind as the basic one.
func splitEnhanced(text string, code int) (enhanced, rest string) {
	first, rest, _ := strings.Cut(text, " ")
	parts := strings.Split(first, ".")
	if len(parts) != 3 || len(first) > 9 || parts[0] != strconv.Itoa(code/100) {
		return "", text
	}
	for _, p := range parts {
		if p == "" || len(p) > 3 || strings.Trim(p, "0123456789") != "" {
			return "", text
		}
	}
	return first, rest
}

// printable makes foreign text safe to store, log and show.
func printable(s string) string {
	s = strings.ToValidUTF8(s, "?")
	s = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, s)
	s = strings.TrimSpace(s)
	if len(s) > maxReplyText {
		s = strings.ToValidUTF8(s[:maxReplyText], "")
	}
	return s
}
