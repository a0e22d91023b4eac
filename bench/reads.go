package main

import (
	"context"
	"net/url"

	"crm/bench/load"
)

// against measures requests to our API against the floor's, both answering 200.
func (s *suite) against(ctx context.Context, name string, connections int, ours, floors [][]byte) ([]figure, error) {
	return s.duel(ctx, name, connections, s.srv.Addr, s.ourCPU, ours, floors)
}

// duel is against for a process of ours at another address.
func (s *suite) duel(ctx context.Context, name string, connections int, addr string, cpu func() (cost, error), ours, floors [][]byte) ([]figure, error) {
	a, err := s.http(ctx, addr, cpu, 200, connections, shuffled(ours))
	if err != nil {
		return nil, err
	}
	b, err := s.http(ctx, s.floorAt, s.floorCPU, 200, connections, shuffled(floors))
	if err != nil {
		return nil, err
	}
	d, err := fight(ctx, s.opt.rounds, a, b)
	if err != nil {
		return nil, err
	}
	return d.figures(name, "req/s", "req", "floor"), nil
}

// get is a signed-in request to our API.
func (s *suite) get(path string) []byte { return load.Get("/api/v1"+path, s.api.Bearer()) }

// readList filters by an equality and sorts by creation, newest first: the everyday list.
func readList(ctx context.Context, s *suite) ([]figure, error) {
	var ours, floors [][]byte
	for _, v := range lifecycles {
		ours = append(ours, s.get("/contacts?limit=50&sort=-created_at&lifecycle="+v))
		floors = append(floors, load.Get("/contacts/by-lifecycle?lifecycle="+v))
	}
	return s.against(ctx, "read_list50", conns, ours, floors)
}

// readContains asks for a part of the last name in the order of last names, which no index serves well.
func readContains(ctx context.Context, s *suite) ([]figure, error) {
	var ours, floors [][]byte
	for _, part := range []string{"smi", "berg", "wood", "ström", "goldfi"} {
		part = url.QueryEscape(part)
		ours = append(ours, s.get("/contacts?limit=50&sort=last_name&last_name[contains]="+part))
		floors = append(floors, load.Get("/contacts/by-name?part="+part))
	}
	return s.against(ctx, "read_list50_contains", conns, ours, floors)
}

// search types names and their beginnings; the time to wait counts, so only a few ask at once.
func search(ctx context.Context, s *suite) ([]figure, error) {
	var ours, floors [][]byte
	for i := range 200 {
		q := firsts[i%len(firsts)] + " " + heads[i%len(heads)]
		if i%2 == 1 {
			q = heads[i%len(heads)] + tails[i*7%len(tails)]
		}
		q = url.QueryEscape(q)
		ours = append(ours, s.get("/search?q="+q))
		floors = append(floors, load.Get("/search?q="+q))
	}
	return s.against(ctx, "search", 4, ours, floors)
}
