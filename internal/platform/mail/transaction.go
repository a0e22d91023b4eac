package mail

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"time"
)

// terminator ends a message whose last line is complete.
const terminator = ".\r\n"

// bodies are reused between messages: one of 6 kB per send would otherwise be most of the garbage.
var bodies = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// maxPooledBody keeps one huge message from pinning its memory.
const maxPooledBody = 256 << 10

// transact sends one message to one recipient. heard tells whether the server said anything: when it did not, a
// reused connection had simply been closed meanwhile.
func (c *conn) transact(ctx context.Context, from, rcpt string, raw []byte) (receipt Receipt, heard bool, err error) {
	stop := c.watch(ctx)
	defer stop()
	c.sent++
	if limit := c.maxSize(); limit > 0 && len(raw) > limit {
		text := fmt.Sprintf("the message has %d bytes, the server takes at most %d", len(raw), limit)
		return Receipt{}, true, &SendError{Step: StepMail, Text: text, Class: Block}
	}
	commands := c.commands(from, rcpt, raw)
	if c.has("PIPELINING") {
		heard, err = c.pipeline(commands)
	} else {
		heard, err = c.oneByOne(commands)
	}
	if err != nil {
		return Receipt{}, heard, withCause(ctx, err)
	}
	receipt, err = c.body(raw)
	return receipt, true, withCause(ctx, err)
}

// exchange is one command of a transaction and the answer that lets it go on.
type exchange struct {
	step Step
	line string
	want int // code; 250 stands for every 2xx
}

func (c *conn) commands(from, rcpt string, raw []byte) []exchange {
	mail := "MAIL FROM:<" + from + ">"
	if c.has("SIZE") {
		mail += " SIZE=" + strconv.Itoa(len(raw))
	}
	if c.has("8BITMIME") && !ascii(raw) {
		mail += " BODY=8BITMIME"
	}
	list := []exchange{
		{StepReset, "RSET\r\n", 250},
		{StepMail, mail + "\r\n", 250},
		{StepRcpt, "RCPT TO:<" + rcpt + ">\r\n", 250},
		{StepData, "DATA\r\n", 354},
	}
	if !c.dirty {
		list = list[1:]
	}
	c.dirty = true
	return list
}

func (e exchange) satisfied(r reply) bool {
	if e.want == 354 {
		return r.code == 354
	}
	return r.ok()
}

// pipeline writes all commands in one packet (RFC 2920) and reads all their answers, also after a refusal: the
// answers belong to the commands in order, and skipping one would shift all later ones.
func (c *conn) pipeline(list []exchange) (heard bool, err error) {
	var packet []byte
	for _, e := range list {
		packet = append(packet, e.line...)
	}
	if err := c.write(list[0].step, packet); err != nil {
		return false, err
	}
	var first error
	for _, e := range list {
		r, err := c.read(e.step, c.cfg.StepTimeout)
		if err != nil {
			if first == nil {
				first = err
			}
			return heard, first // the connection is broken; a refusal read before says more than that
		}
		heard = true
		if first == nil && !e.satisfied(r) {
			first = c.refused(e.step, r)
		}
		// Leave to send was given although an earlier command failed. Sending an empty message might be delivered as
		// one; hanging up cannot.
		if first != nil && r.code == 354 {
			c.broken = true
		}
	}
	return heard, first
}

func (c *conn) oneByOne(list []exchange) (heard bool, err error) {
	for _, e := range list {
		r, err := c.command(e.step, e.line[:len(e.line)-2])
		if err != nil {
			return heard, err
		}
		heard = true
		if !e.satisfied(r) {
			return heard, c.refused(e.step, r)
		}
	}
	return heard, nil
}

// refused also gives up a connection that cannot even be reset.
func (c *conn) refused(step Step, r reply) error {
	c.broken = c.broken || step == StepReset
	return refusal(step, r)
}

// body writes the message and its final dot and reads the answer. It is the only place that can make an InDoubt.
func (c *conn) body(raw []byte) (Receipt, error) {
	buf := bodies.Get().(*bytes.Buffer)
	defer recycle(buf)
	stuff(buf, raw)
	c.deadline(c.cfg.BodyTimeout)
	n, err := c.net.Write(buf.Bytes())
	if n < buf.Len() {
		c.broken = true
		return Receipt{}, c.cutShort(err)
	}
	c.markTerminated()
	c.dirty = false
	r, err := c.read(StepAnswer, c.cfg.AnswerTimeout)
	if err != nil {
		return Receipt{}, &SendError{Step: StepAnswer, Class: InDoubt, Err: lost(err)}
	}
	if r.code >= 300 && r.code < 400 {
		c.broken = true
		return Receipt{}, &SendError{Step: StepAnswer, Code: r.code, Enhanced: r.enhanced, Text: r.text, Class: InDoubt}
	}
	if !r.ok() {
		return Receipt{}, refusal(StepAnswer, r)
	}
	c.used = c.cfg.Now()
	return Receipt{Code: r.code, Enhanced: r.enhanced, Text: r.text, At: c.used.UTC()}, nil
}

// cutShort explains why a body could not be written whole. The server may have said why before hanging up, for
// instance that the message is too large; that answer is worth more than "broken pipe". Nothing can have been
// accepted, the dot never left.
func (c *conn) cutShort(cause error) error {
	if cause == nil {
		cause = io.ErrShortWrite
	}
	var timeout net.Error
	if errors.As(cause, &timeout) && timeout.Timeout() {
		return broken(StepBody, cause)
	}
	c.deadline(time.Second)
	if r, err := readReply(c.r); err == nil && r.code >= 400 {
		return refusal(StepBody, r)
	}
	return broken(StepBody, cause)
}

// lost unwraps the inner error of a failed read, so that the message does not name the step twice.
func lost(err error) error {
	var inner *SendError
	if errors.As(err, &inner) && inner.Err != nil {
		return inner.Err
	}
	return err
}

// stuff appends raw with CRLF line ends, doubled leading dots and the final dot. Bare CR and LF become CRLF: a server
// that takes one of them for a line end would otherwise see another message end than we do (SMTP smuggling).
func stuff(buf *bytes.Buffer, raw []byte) {
	buf.Grow(len(raw) + len(raw)/32 + 8)
	for len(raw) > 0 {
		end := bytes.IndexAny(raw, "\r\n")
		line := raw
		if end >= 0 {
			line = raw[:end]
		}
		if len(line) > 0 && line[0] == '.' {
			buf.WriteByte('.')
		}
		buf.Write(line)
		buf.WriteString("\r\n")
		if end < 0 {
			break
		}
		skip := end + 1
		if raw[end] == '\r' && skip < len(raw) && raw[skip] == '\n' {
			skip++
		}
		raw = raw[skip:]
	}
	buf.WriteString(terminator)
}

func recycle(buf *bytes.Buffer) {
	if buf.Cap() > maxPooledBody {
		return
	}
	buf.Reset()
	bodies.Put(buf)
}

func ascii(p []byte) bool {
	for _, b := range p {
		if b >= 0x80 {
			return false
		}
	}
	return true
}
