package dealshttp_test

import (
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"

	"crm/internal/deals"
	"crm/internal/deals/dealshttp"
	"crm/internal/platform/money"
	"crm/internal/record"
	"crm/internal/record/recordpage/pagetest"
	"crm/internal/record/recordtest"
)

type board struct {
	*pagetest.World
	s      *deals.Service
	stages map[string]string // name → id
}

func newBoard(t *testing.T) *board {
	t.Helper()
	e := recordtest.New(t)
	s, err := deals.New(deals.Deps{Kernel: e.K, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.EnsureDefaultPipeline(e.Admin); err != nil {
		t.Fatal(err)
	}
	w := pagetest.New(t, e)
	p := dealshttp.NewPages(w.Pages, s, time.Now)
	w.Inside = append(w.Inside, func(r chi.Router) { p.Mount(r) })
	w.Serve(t)
	out := &board{World: w, s: s, stages: map[string]string{}}
	stages, err := s.Stages.Find(e.Admin, record.Query{})
	if err != nil {
		t.Fatal(err)
	}
	for _, st := range stages {
		out.stages[st.Name] = st.ID.String()
	}
	return out
}

func (b *board) deal(t *testing.T, name string) string {
	t.Helper()
	return b.Make(t, b.Admin, "deal", record.Patch{"name": name, "amount": money.Amount{Minor: 100000, Currency: "EUR"}}).ID().String()
}

// order are the names of the open cards of a column, top first.
func (b *board) order(t *testing.T, stage string) string {
	t.Helper()
	found, err := b.s.Board(b.Admin, deals.BoardInput{})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range found.Columns {
		for _, d := range c.Deals {
			if c.Stage.Name == stage {
				names = append(names, d.Title())
			}
		}
	}
	return strings.Join(names, " ")
}

func TestBoardShowsThePipeline(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	b.deal(t, "Fleet telemetry")
	br := b.As(t, b.Admin)
	br.Get("/alpha/deals?view=board").Is(200, "Prospecting", "Negotiation", "Won", "Lost", "Fleet telemetry", "€1,000", "10 %", "No next step", "Table", "Board", "New deal")
	br.Get("/alpha/deals").Is(200, "Fleet telemetry", "Prospecting", "1 deal", "Board")
	br.Get("/alpha/deals?view=board&q=nothinglikeit").Is(200, "Prospecting").Lacks("Fleet telemetry")
	br.Get("/alpha/deals?view=board&status=open").Is(200, "Status", "Fleet telemetry")
	rep := b.As(t, b.Rep)
	rep.Get("/alpha/deals?view=board").Is(200, "Prospecting").Lacks("Fleet telemetry")
	b.As(t, b.Other).Get("/alpha/deals?view=board").Is(404)
}

func TestMoveUndoAndLateCard(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	id := b.deal(t, "Fleet telemetry")
	br := b.As(t, b.Admin)
	move := "/alpha/deals/" + id + "/move"
	back := []string{"back", "/alpha/deals?view=board"}
	done := br.Follow(br.Post(move, append(back, "stage_id", b.stages["Proposal"], "version", "1")...)).Is(200, "Fleet telemetry moved to Proposal.", "Undo")
	br.Post(move, append(back, "stage_id", b.stages["Negotiation"], "version", "1")...).Is(412, "Somebody changed this record meanwhile")
	br.Follow(br.Post("/alpha/undo", "seq", done.Hidden("seq"), "back", "/alpha/deals?view=board")).Is(200, "Taken back.")
	if got := b.order(t, "Prospecting"); got != "Fleet telemetry" {
		t.Errorf("after undo Prospecting holds %q", got)
	}
	br.Post(move, append(back, "stage_id", b.stages["Lost"])...).Is(422)
	br.Follow(br.Post(move, append(back, "stage_id", b.stages["Lost"], "lost_reason", "Too dear")...)).Is(200, "is marked as lost.")
	br.Get("/alpha/deals/"+id).Is(200, "Reopen", "Too dear", "marked this as lost")
	br.Follow(br.Post("/alpha/deals/"+id+"/reopen", "back", "/alpha/deals/"+id)).Is(200, "Won", "Lost…", "Engaging")
	br.Get("/alpha/deals/"+id+"/lose").Is(200, "Why was it lost?")
	br.Post("/alpha/deals/"+id+"/lose").Is(422, "Say why the deal was lost.")
	br.Follow(br.Post("/alpha/deals/"+id+"/win", "back", "/alpha/deals/"+id)).Is(200, "Fleet telemetry is won.", "won this deal")
	b.As(t, b.Rep).Post(move, "stage_id", b.stages["Proposal"]).Is(404)
}

func TestADropKeepsItsPlace(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	br := b.As(t, b.Admin)
	for _, name := range []string{"C", "B", "A"} { // new ones come on top
		b.deal(t, name)
	}
	x := b.deal(t, "X")
	if got := b.order(t, "Prospecting"); got != "X A B C" {
		t.Fatalf("at first %q", got)
	}
	for _, tt := range []struct{ place, want string }{{"2", "A B X C"}, {"3", "A B C X"}, {"0", "X A B C"}, {"1", "A X B C"}, {"99", "A B C X"}} {
		if a := br.Post("/alpha/deals/"+x+"/move", "stage_id", b.stages["Prospecting"], "position", tt.place); a.Status != 303 {
			t.Fatalf("place %s: %d %.300s", tt.place, a.Status, a.Text)
		}
		if got := b.order(t, "Prospecting"); got != tt.want {
			t.Errorf("dropped at %s: %q, want %q", tt.place, got, tt.want)
		}
	}
}
