package faults

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"crm/e2e"
)

// Redis is a redis-server of the test's own on a unix socket.
type Redis struct {
	Socket string
	Raw    *redis.Client // patient, for set-up and assertions

	cmd *exec.Cmd
}

// StartRedis runs until the test ends.
func StartRedis(t testing.TB) *Redis {
	t.Helper()
	dir, err := os.MkdirTemp("", "crm-redis-") // t.TempDir is too long for a socket's name
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	r := &Redis{Socket: filepath.Join(dir, "s")}
	r.Raw = redis.NewClient(&redis.Options{Network: "unix", Addr: r.Socket})
	t.Cleanup(func() { _ = r.Raw.Close() })
	t.Cleanup(func() { r.Kill(t) })
	r.Start(t)
	return r
}

// Start runs the server, again after a Kill.
func (r *Redis) Start(t testing.TB) {
	t.Helper()
	bin, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatal("redis-server is needed for these tests: apt-get install redis-server")
	}
	r.cmd = exec.Command(bin, "--port", "0", "--unixsocket", r.Socket, "--save", "", "--appendonly", "no", "--dir", filepath.Dir(r.Socket)) //nolint:noctx,gosec // ended by Kill
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	e2e.Until(t, 20*time.Second, "redis answers", func() bool { return r.Raw.Ping(context.Background()).Err() == nil })
}

// Kill ends it without a word. It may be dead already.
func (r *Redis) Kill(testing.TB) {
	if r.cmd == nil {
		return
	}
	_ = r.cmd.Process.Kill()
	_ = r.cmd.Wait() // how it ended is what we did to it
	r.cmd = nil
}

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
