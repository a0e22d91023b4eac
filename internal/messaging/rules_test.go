package messaging

import (
	"testing"
	"time"

	"crm/internal/platform/mail"
)

func TestDecide(t *testing.T) {
	t.Parallel()
	p := DefaultPolicy
	tests := []struct {
		name string
		r    result
		at   standing
		want verdict
	}{
		{"accepted", result{}, standing{}, verdict{act: Sent, status: Sent, attempt: Sent}},
		{"first failure", result{class: mail.Temporary}, standing{luck: 0.5}, verdict{act: "deferred", status: Queued, attempt: "temporary", wait: 15 * time.Second, strikes: 1}},
		{"fourth failure", result{class: mail.Temporary}, standing{strikes: 3, luck: 0.5}, verdict{act: "deferred", status: Queued, attempt: "temporary", wait: 2 * time.Minute, strikes: 1}},
		{"last failure", result{class: mail.Temporary}, standing{strikes: 7}, verdict{act: Failed, status: Failed, attempt: "temporary", strikes: 1}},
		{"busy", result{class: mail.RouteBusy}, standing{strikes: 7, attempts: 1, luck: 0.5}, verdict{act: "deferred", status: Queued, attempt: "route_busy", wait: 15 * time.Second}},
		{"busy, says when", result{class: mail.RouteBusy, retryAfter: time.Hour}, standing{attempts: 1}, verdict{act: "deferred", status: Queued, attempt: "route_busy", wait: time.Hour}},
		{"busy for days", result{class: mail.RouteBusy}, standing{attempts: 99, age: 48 * time.Hour}, verdict{act: Failed, status: Failed, attempt: "route_busy"}},
		{"bad address", result{class: mail.Permanent}, standing{}, verdict{act: Bounced, status: Bounced, attempt: "permanent", suppress: true}},
		{"refused", result{class: mail.Block}, standing{}, verdict{act: Failed, status: Failed, attempt: "block"}},
		{"wrong settings", result{class: mail.Config}, standing{}, verdict{act: Failed, status: Failed, attempt: "config", unhealthy: true}},
		{"in doubt", result{class: mail.InDoubt}, standing{class: Marketing}, verdict{act: InDoubt, status: InDoubt, attempt: "in_doubt"}},
		{"in doubt, transactional", result{class: mail.InDoubt}, standing{class: Transactional}, verdict{act: InDoubt, status: InDoubt, attempt: "in_doubt"}},
		{"our own stop", result{class: mail.Temporary, interrupted: true}, standing{strikes: 7}, verdict{act: "deferred", status: Queued, attempt: "interrupted"}},
	}
	for _, tt := range tests {
		if got := p.decide(tt.r, tt.at); got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

func TestPauseGrowsAndSpreads(t *testing.T) {
	t.Parallel()
	p := DefaultPolicy
	for n := 1; n < 60; n++ {
		low, high := p.pause(n, 0), p.pause(n, 0.999)
		if low < 12*time.Second || high > 18*time.Minute || low >= high {
			t.Fatalf("pause %d: %v to %v", n, low, high)
		}
	}
}

func TestHasMarkup(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"": false, "plain": false, "1 < 2": false, "a <b": true, "<p>x</p>": true, "x <": false, "<<p>": true, "1 < 2 and <br>": true, "Ann <3 Bob": false,
	} {
		if hasMarkup(text) != want {
			t.Errorf("%q: %v", text, !want)
		}
	}
}

func TestMask(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{"a@x.test": "a•••@x.test", "ann@x.test": "a•••@x.test", "+49301234567": "•••567", "x": "•••x"} {
		if got := mask(address); got != want {
			t.Errorf("%s: %s", address, got)
		}
	}
}
