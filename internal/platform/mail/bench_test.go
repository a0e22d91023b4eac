package mail_test

import (
	"bufio"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"crm/internal/platform/mail"
	"crm/internal/platform/mail/smtptest"
)

// BenchmarkSend measures messages per second of 5.9 kB over 10 connections, with the sink's library and with a minimal
// sink that costs almost nothing, in the same process.
func BenchmarkSend(b *testing.B) {
	body := []byte(wire + strings.Repeat("A line of an ordinary campaign mail, about 76 characters long, as usual.\r\n", 78))
	b.Run("library_sink", func(b *testing.B) {
		sink := smtptest.Start(b, smtptest.Options{DropRaw: true})
		benchmarkSend(b, settings(b, sink, func(s *mail.Settings) { s.MaxConns = 10 }), body)
	})
	b.Run("raw_sink", func(b *testing.B) {
		l := startRawSink(b)
		var d net.Dialer
		benchmarkSend(b, mail.Settings{Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port, TLS: mail.TLSNone, Dial: d.DialContext, MaxConns: 10}, body)
	})
}

func benchmarkSend(b *testing.B, s mail.Settings, body []byte) {
	s.MaxMessages = 1 << 30
	sender := newSender(b, s)
	var failed atomic.Int64
	b.SetParallelism(5)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := sender.Send(b.Context(), "a@crm.test", "r@example.test", body); err != nil {
				failed.Add(1)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msgs/s")
	if failed.Load() > 0 {
		b.Fatalf("%d failed", failed.Load())
	}
}

// startRawSink answers without looking: three answers per packet of commands, one per body.
func startRawSink(b *testing.B) net.Listener {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go rawSink(conn)
		}
	}()
	return l
}

func rawSink(conn net.Conn) {
	defer conn.Close()
	r := bufio.NewReaderSize(conn, 32<<10)
	answer := func(s string) { _, _ = conn.Write([]byte(s)) }
	answer("220 x\r\n")
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return
		}
		switch line[0] {
		case 'E':
			answer("250-x\r\n250 PIPELINING\r\n")
		case 'D':
			answer("250 a\r\n250 b\r\n354 c\r\n")
			for err == nil && !(line[0] == '.' && len(line) == 3) {
				line, err = r.ReadSlice('\n')
			}
			answer("250 taken\r\n")
		}
	}
}
