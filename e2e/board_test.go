package e2e_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"

	"crm/e2e"
)

// board moves one deal with mouse, finger and keyboard in a real browser, wins it,
// takes that back, and checks totals and timeline against the API.
func board(t *testing.T, w *way) {
	deal := w.api.Call(t, 200, "GET", "/deals?name="+strings.ReplaceAll("Lena's deal", " ", "%20"), nil).Data()[0]["id"].(string)
	b := e2e.NewBrowser(t)
	b.SignIn(t, w.URL, "ada@alpha.test", password)
	bd := &boardPage{t: t, w: w, b: b, deal: deal, stages: w.stages(t)}
	bd.open()
	bd.totals()

	bd.drag(1)
	bd.isIn(1, "dragged by mouse")
	bd.open()
	bd.touch(2)
	bd.isIn(2, "held and moved by finger")
	bd.open()
	bd.keys(" ", "\u0303", " ") // lift, arrow right, drop
	bd.isIn(3, "moved by keyboard")

	bd.open()
	bd.drag(4)
	bd.isIn(4, "dropped on Won")
	if got := w.api.Call(t, 200, "GET", "/deals/"+deal, nil); got.Text("status") != "won" || got.Num("probability") != 100 {
		t.Errorf("a won deal: %s", got)
	}
	bd.undo()
	bd.isIn(3, "taken back")
	bd.totals()
	bd.timeline()
	if wrong := b.Complaints(); len(wrong) > 0 {
		t.Errorf("the browser complains: %q", wrong)
	}
}

type boardPage struct {
	t      *testing.T
	w      *way
	b      *e2e.Browser
	deal   string
	stages []string // ids in order: four open ones, Won, Lost
}

// stages are the ids of the default pipeline's stages in order.
func (w *way) stages(t *testing.T) []string {
	t.Helper()
	var out []string
	for _, s := range w.api.Call(t, 200, "GET", "/stages?sort=position", nil).Data() {
		out = append(out, s["id"].(string))
	}
	if len(out) < 6 {
		t.Fatalf("the default pipeline has %d stages", len(out))
	}
	return out
}

// open shows the board with our deal on it: 8,800 deals do not fit a screen.
func (p *boardPage) open() {
	p.t.Helper()
	p.b.Do(p.t, chromedp.Navigate(p.w.URL+"/alpha/deals?view=board&name[contains]=lena"), chromedp.WaitVisible(p.card()))
}

func (p *boardPage) card() string { return fmt.Sprintf(`.card[data-id="%s"]`, p.deal) }

func (p *boardPage) column(n int) string {
	return fmt.Sprintf(`.column[data-stage="%s"]`, p.stages[n])
}

type point struct{ X, Y float64 }

// center is the middle of an element as it is on the screen now, or the upper part
// of a tall column.
func (p *boardPage) center(selector string) point {
	p.t.Helper()
	xy := e2e.Eval[[]float64](p.t, p.b, fmt.Sprintf(`(() => { const r = document.querySelector(%q).getBoundingClientRect(); return [r.left + r.width / 2, r.top + Math.min(r.height / 2, 140)]; })()`, selector))
	return point{xy[0], xy[1]}
}

// ends are where a drag begins and ends, with the card in the middle of the screen.
func (p *boardPage) ends(column int) (from, to point) {
	p.t.Helper()
	e2e.Eval[bool](p.t, p.b, fmt.Sprintf(`(document.querySelector(%q).scrollIntoView({block: "nearest", inline: "center", behavior: "instant"}), true)`, p.card()))
	return p.center(p.card()), p.center(p.column(column))
}

func (p *boardPage) drag(column int) {
	p.t.Helper()
	from, to := p.ends(column)
	p.b.Do(p.t, chromedp.DragAndDropXY(from.X, from.Y, to.X, to.Y, 12))
}

// touch rests a finger on the card until it lifts, moves it and lets go.
func (p *boardPage) touch(column int) {
	p.t.Helper()
	from, to := p.ends(column)
	send := func(kind input.DispatchTouchEventType, at ...point) {
		var points []*input.TouchPoint
		for _, a := range at {
			points = append(points, &input.TouchPoint{X: a.X, Y: a.Y})
		}
		if _, err := chromedp.Call(p.b.Ctx, input.DispatchTouchEvent, input.DispatchTouchEventParams{Type: kind, TouchPoints: points}); err != nil {
			p.t.Fatal(err)
		}
	}
	send("touchStart", from)
	e2e.Until(p.t, 10*time.Second, "the card lifts under a resting finger", func() bool {
		return e2e.Eval[bool](p.t, p.b, `!!document.querySelector(".card.ghost")`)
	})
	for i := 1; i <= 10; i++ {
		f := float64(i) / 10
		send("touchMove", point{from.X + (to.X-from.X)*f, from.Y + (to.Y-from.Y)*f})
	}
	send("touchEnd")
}

// keys focuses the card and types.
func (p *boardPage) keys(keys ...string) {
	p.t.Helper()
	e2e.Eval[bool](p.t, p.b, fmt.Sprintf(`(document.querySelector(%q).focus(), true)`, p.card()))
	for _, k := range keys {
		p.b.Do(p.t, chromedp.KeyEvent(k))
	}
}

// isIn waits until the server has the deal in a stage and the page shows it there.
func (p *boardPage) isIn(n int, how string) {
	p.t.Helper()
	e2e.Until(p.t, 20*time.Second, "the deal is in stage "+fmt.Sprint(n)+", "+how, func() bool {
		return p.w.api.Call(p.t, 200, "GET", "/deals/"+p.deal, nil).Text("stage_id") == p.stages[n]
	})
	e2e.Until(p.t, 20*time.Second, "the page shows it in stage "+fmt.Sprint(n), func() bool {
		return e2e.Eval[bool](p.t, p.b, fmt.Sprintf(`!!document.querySelector(%q + " " + %q)`, p.column(n), p.card()))
	})
}

// undo presses the button on the note that tells what happened. The page may be
// refreshing itself at that moment, as live pages do, so it presses until it took.
func (p *boardPage) undo() {
	p.t.Helper()
	p.b.Do(p.t, chromedp.WaitVisible(`.toast form[data-undo] button`))
	before := p.stage()
	e2e.Until(p.t, 20*time.Second, "Undo took", func() bool {
		e2e.Eval[bool](p.t, p.b, `(document.querySelector(".toast form[data-undo] button")?.click(), true)`)
		return p.stage() != before
	})
}

func (p *boardPage) stage() string {
	return p.w.api.Call(p.t, 200, "GET", "/deals/"+p.deal, nil).Text("stage_id")
}

// totals compares the board's counts, over all rows, with a count of the list.
func (p *boardPage) totals() {
	p.t.Helper()
	answer := p.w.api.Call(p.t, 200, "GET", "/deals/board", nil)
	columns, _ := answer.JSON["columns"].([]any)
	if len(columns) < 6 {
		p.t.Fatalf("board: %.300s", answer.Raw)
	}
	for i, c := range columns {
		count, _ := c.(map[string]any)["count"].(float64)
		if want := p.w.api.Count(p.t, "/deals?stage_id="+p.stages[i]); int(count) != want {
			p.t.Errorf("column %d shows %v, the list has %d", i, count, want)
		}
	}
}

// timeline reads the deal's page: it tells of the moves in words.
func (p *boardPage) timeline() {
	p.t.Helper()
	p.b.Do(p.t, chromedp.Navigate(p.w.URL+"/alpha/deals/"+p.deal), chromedp.WaitVisible("main"))
	text := strings.ToLower(p.b.Text(p.t, "main"))
	for _, word := range []string{"won", "negotiation", "proposal"} {
		if !strings.Contains(text, word) {
			p.t.Errorf("the timeline does not mention %q:\n%s", word, text)
		}
	}
}
