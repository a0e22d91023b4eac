package messaging_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"crm/internal/messaging"
	"crm/internal/platform/db"
	"crm/internal/platform/egress"
	"crm/internal/platform/jobs"
	"crm/internal/platform/mail/smtptest"
	"crm/internal/platform/secret"
	"crm/internal/record"
	"crm/internal/record/recordtest"
)

// BenchmarkTransactional is the whole way of single messages: made one by one,
// queued, claimed, sent over SMTP to a sink on loopback, settled and journalled.
func BenchmarkTransactional(b *testing.B) {
	env := recordtest.New(b)
	sink := smtptest.Start(b, smtptest.Options{DropRaw: true})
	pool, err := db.Open(b.Context(), env.SQL.AppURL, 12)
	check(b, err)
	defer pool.Close()
	k, err := record.NewKernel(record.Deps{DB: pool, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	box, err := secret.New([]string{secret.Generate()})
	check(b, err)
	guard, err := egress.New([]string{"127.0.0.0/8"})
	check(b, err)
	s, err := messaging.New(messaging.Deps{Kernel: k, Box: box, Egress: guard, Now: time.Now, Log: slog.New(slog.DiscardHandler), BaseURL: "https://crm.test", Alone: true})
	check(b, err)
	reg := jobs.NewRegistry()
	s.Register(reg)
	client, err := jobs.New(reg, jobs.Options{Pool: pool.Pool(), Log: slog.New(slog.DiscardHandler), Works: true})
	check(b, err)
	s.SetJobs(client)
	host, port := sink.HostPort()
	_, err = s.CreateProvider(env.Admin, messaging.ProviderInput{Name: new("sink"), Type: new("smtp"), Settings: map[string]any{"host": host, "port": port, "tls": "none", "from": "a@crm.test"}})
	check(b, err)
	n := 0
	b.ResetTimer()
	for b.Loop() {
		_, err := s.Send(env.Admin, plain(fmt.Sprintf("m%d@example.com", n)))
		check(b, err)
		n++
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "made/s")
	begin := time.Now()
	check(b, client.Start(context.WithoutCancel(b.Context()), true))
	check(b, sink.Wait(b.Context(), n))
	b.ReportMetric(float64(n)/time.Since(begin).Seconds(), "sent/s")
	grace, end := context.WithTimeout(context.WithoutCancel(b.Context()), 30*time.Second)
	defer end()
	check(b, client.Stop(grace))
	s.Close()
}

func check(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}
