package faults

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"time"
)

// Proxy passes bytes on to a unix socket, each piece as late as Delay says.
type Proxy struct {
	Addr  string
	Delay atomic.Int64 // nanoseconds
	Late  atomic.Int64 // pieces that were held up
}

// StartProxy listens until the test ends.
func StartProxy(t testing.TB, socket string) *Proxy {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	p := &Proxy{Addr: l.Addr().String()}
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(client, socket)
		}
	}()
	return p
}

func (p *Proxy) serve(client net.Conn, socket string) {
	server, err := (&net.Dialer{}).DialContext(context.Background(), "unix", socket)
	if err != nil {
		_ = client.Close()
		return
	}
	go p.pass(client, server)
	p.pass(server, client)
}

// pass copies one way; when it ends, both ways end.
func (p *Proxy) pass(to, from net.Conn) {
	defer to.Close()
	defer from.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if d := time.Duration(p.Delay.Load()); d > 0 && n > 0 {
			p.Late.Add(1)
			time.Sleep(d)
		}
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
