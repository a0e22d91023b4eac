package egress_test

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// nameServer is a DNS server on loopback whose answers change from query to query, the way a rebinding attacker's do.
type nameServer struct {
	conn net.PacketConn

	mu      sync.Mutex
	answers map[string][][]netip.Addr // name without dot -> answer per query; the last one repeats
	asked   map[string]int
}

func startNameServer(t *testing.T) *nameServer {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listen for dns: %v", err)
	}
	s := &nameServer{conn: conn, answers: map[string][][]netip.Addr{}, asked: map[string]int{}}
	t.Cleanup(func() { conn.Close() })
	go s.serve()
	return s
}

// resolver asks this server only, whatever the machine's configuration says.
func (s *nameServer) resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", s.conn.LocalAddr().String())
	}}
}

func (s *nameServer) set(name string, perQuery ...[]netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers[name] = perQuery
}

func (s *nameServer) queries(name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[name]
}

func (s *nameServer) serve() {
	buf := make([]byte, 1500)
	for {
		n, from, err := s.conn.ReadFrom(buf)
		if err != nil {
			return
		}
		if reply, err := s.reply(buf[:n]); err == nil {
			_, _ = s.conn.WriteTo(reply, from)
		}
	}
}

func (s *nameServer) reply(query []byte) ([]byte, error) {
	var p dnsmessage.Parser
	header, err := p.Start(query)
	if err != nil {
		return nil, err
	}
	q, err := p.Question()
	if err != nil {
		return nil, err
	}
	b := dnsmessage.NewBuilder(nil, dnsmessage.Header{ID: header.ID, Response: true, RecursionAvailable: true})
	if err := b.StartQuestions(); err != nil {
		return nil, err
	}
	if err := b.Question(q); err != nil {
		return nil, err
	}
	if err := b.StartAnswers(); err != nil {
		return nil, err
	}
	for _, ip := range s.next(q) {
		if err := addAnswer(&b, q, ip); err != nil {
			return nil, err
		}
	}
	return b.Finish()
}

func addAnswer(b *dnsmessage.Builder, q dnsmessage.Question, ip netip.Addr) error {
	head := dnsmessage.ResourceHeader{Name: q.Name, Class: dnsmessage.ClassINET, TTL: 0}
	if q.Type == dnsmessage.TypeA && ip.Is4() {
		return b.AResource(head, dnsmessage.AResource{A: ip.As4()})
	}
	if q.Type == dnsmessage.TypeAAAA && ip.Is6() {
		return b.AAAAResource(head, dnsmessage.AAAAResource{AAAA: ip.As16()})
	}
	return nil
}

// next counts A queries only, so one look-up (A and AAAA together) is one step of the script.
func (s *nameServer) next(q dnsmessage.Question) []netip.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := strings.ToLower(strings.TrimSuffix(q.Name.String(), "."))
	script := s.answers[name]
	if len(script) == 0 {
		return nil
	}
	if q.Type == dnsmessage.TypeA {
		s.asked[name]++
	}
	return script[min(max(s.asked[name]-1, 0), len(script)-1)]
}
