package dealshttp

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"

	"crm/internal/deals"
	"crm/internal/platform/auth"
	"crm/internal/record"
	"crm/internal/record/recordpage"
	"crm/web/ui"
)

// closedCards is how many cards the two narrow columns at the end show.
const closedCards = 6

// Pages serves the board, the acts on it, and what deals add to their record page.
type Pages struct {
	pages *recordpage.Pages
	s     *deals.Service
	now   func() time.Time
}

// NewPages makes the pages and adds the board to the list of deals.
func NewPages(pages *recordpage.Pages, s *deals.Service, now func() time.Time) *Pages {
	p := &Pages{pages: pages, s: s, now: now}
	pages.AddView("deal", recordpage.View{Key: "board", Label: "Board", Icon: "columns-3", Page: p.board})
	pages.Extend("deal", p.extend)
	return p
}

// Mount puts the acts under r, the router of a workspace.
func (p *Pages) Mount(r chi.Router) {
	h := p.pages.Site.Handle
	r.Post("/deals/{id}/move", h(p.move))
	r.Post("/deals/{id}/win", h(p.win))
	r.Get("/deals/{id}/lose", h(p.loseForm))
	r.Post("/deals/{id}/lose", h(p.lose))
	r.Post("/deals/{id}/reopen", h(p.reopen))
}

// board answers GET /deals?view=board.
func (p *Pages) board(w http.ResponseWriter, r *http.Request) error {
	bar, err := p.pages.Bar(r, "deal")
	if err != nil {
		return err
	}
	pipeline, _ := uuid.Parse(r.URL.Query().Get("pipeline_id")) // unreadable = the default one
	b, err := p.s.Board(r.Context(), deals.BoardInput{PipelineID: pipeline, Query: bar.Query})
	if err != nil {
		return err
	}
	names, err := p.cardNames(r.Context(), b)
	if err != nil {
		return err
	}
	pipelines, err := p.pipelineTabs(r, b.Pipeline.ID)
	if err != nil {
		return err
	}
	body := ui.BoardPage{
		Object: "deals", Title: p.s.Deals.Def.LabelPlural, Pipelines: pipelines, Switch: p.pages.Switches(r, "deal"), Search: bar.Search, Filters: bar.Filters,
		Builder: bar.Builder, ClearHref: bar.ClearHref, Totals: totals(b),
	}
	if auth.From(r.Context()).Grants.Scope("deal", auth.Create) != auth.None {
		body.Primary = &ui.Action{Label: "New deal", Weight: ui.Primary, Icon: "plus", Key: "c", Href: newDeal(r, b.Pipeline.ID, uuid.Nil)}
	}
	for i, c := range b.Columns {
		col := p.column(r, b, c, names)
		if col.Outcome == ui.OutcomeOpen {
			col.Tone = ui.Category(i)
		}
		body.Columns = append(body.Columns, col)
	}
	return p.pages.Page(w, r, http.StatusOK, recordpage.Head{Title: "Board · " + body.Title, Section: "deals"}, body)
}

// newDeal is the form for a deal in a stage, coming back to the board.
func newDeal(r *http.Request, pipeline, stage uuid.UUID) string {
	q := url.Values{"pipeline_id": {pipeline.String()}, "return": {r.URL.RequestURI()}}
	if stage != uuid.Nil {
		q.Set("stage_id", stage.String())
	}
	return recordpage.Path(r, "deals", "new") + "?" + q.Encode()
}

func totals(b *deals.Board) []ui.Sum {
	return []ui.Sum{
		{Label: "Open", Value: ui.Number{Value: float64(b.Open.Count)}},
		{Label: "Value", Value: ui.Money{Minor: b.Open.Sum.Minor, Currency: b.Open.Sum.Currency, Compact: true}},
		{Label: "Weighted", Value: ui.Money{Minor: b.Open.Weighted.Minor, Currency: b.Open.Weighted.Currency, Compact: true}},
	}
}

func (p *Pages) pipelineTabs(r *http.Request, current uuid.UUID) ([]ui.Tab, error) {
	list, err := p.s.Pipelines.Find(r.Context(), record.Query{Limit: record.MaxLimit})
	if err != nil {
		return nil, err
	}
	var tabs []ui.Tab
	for _, pl := range list {
		q := r.URL.Query()
		q.Set("pipeline_id", pl.ID.String())
		tabs = append(tabs, ui.Tab{Label: pl.Name, Href: r.URL.Path + "?" + q.Encode(), Current: pl.ID == current})
	}
	return tabs, nil
}

// cardNames are the companies and owners of all cards, one query each.
type cardNames struct{ companies, people map[uuid.UUID]string }

func (p *Pages) cardNames(ctx context.Context, b *deals.Board) (*cardNames, error) {
	var accounts, owners []uuid.UUID
	for _, c := range b.Columns {
		for _, rec := range c.Deals {
			account, _ := rec.Get("account_id").(uuid.UUID)
			owner, _ := rec.Get("owner_id").(uuid.UUID)
			accounts, owners = append(accounts, account), append(owners, owner)
		}
	}
	companies, err := p.pages.Titles(ctx, "account", accounts)
	if err != nil {
		return nil, err
	}
	people, err := p.pages.Titles(ctx, "user", owners)
	return &cardNames{companies, people}, err
}

func (p *Pages) column(r *http.Request, b *deals.Board, c deals.Column, names *cardNames) ui.BoardColumn {
	out := ui.BoardColumn{ID: c.Stage.ID.String(), Name: c.Stage.Name, Count: int(c.Count), Outcome: outcome(c.Stage.Kind)}
	for i, t := range c.ByCurrency {
		if i < 2 {
			out.Sum = append(out.Sum, ui.Money{Minor: t.Sum.Minor, Currency: t.Sum.Currency})
			out.Weighted = append(out.Weighted, ui.Money{Minor: t.Weighted.Minor, Currency: t.Weighted.Currency})
		}
	}
	cards := c.Deals
	if out.Outcome != ui.OutcomeOpen {
		out.Weighted, cards = nil, latest(cards)
	} else {
		out.AddHref = newDeal(r, b.Pipeline.ID, c.Stage.ID)
		if c.Stage.Probability != nil {
			out.Hint = strconv.FormatInt(*c.Stage.Probability, 10) + " %"
		}
	}
	for _, rec := range cards {
		out.Cards = append(out.Cards, p.card(r, c.Stage, rec, names))
	}
	if out.More = out.Count - len(out.Cards); out.More > 0 {
		q := r.URL.Query()
		q.Del("view")
		q.Del("pipeline_id")
		q.Set("stage_id", c.Stage.ID.String())
		out.MoreHref = r.URL.Path + "?" + q.Encode()
	}
	return out
}

// latest are the deals closed last, among those the board has loaded.
func latest(cards []*record.Record) []*record.Record {
	out := slices.Clone(cards)
	slices.SortFunc(out, func(a, b *record.Record) int {
		at, _ := a.Get("closed_at").(time.Time)
		bt, _ := b.Get("closed_at").(time.Time)
		return bt.Compare(at)
	})
	return out[:min(len(out), closedCards)]
}

func outcome(kind string) ui.Outcome {
	switch kind {
	case deals.Won:
		return ui.OutcomeWon
	case deals.Lost:
		return ui.OutcomeLost
	}
	return ui.OutcomeOpen
}

func (p *Pages) card(r *http.Request, st *deals.Stage, rec *record.Record, names *cardNames) ui.Card {
	d := record.To[deals.Deal](rec)
	id := d.ID.String()
	out := ui.Card{ID: id, Name: rec.Title(), Href: recordpage.Path(r, "deals", id), Version: rec.Version()}
	if d.AccountID != nil {
		out.Company = names.companies[*d.AccountID]
	}
	if d.OwnerID != nil {
		out.Owner = ui.Person{Name: names.people[*d.OwnerID]}
	}
	if d.Amount != nil {
		out.Amount = ui.Money{Minor: d.Amount.Minor, Currency: d.Amount.Currency}
	}
	if d.WinProbability != nil && st.Kind == deals.Open {
		out.Score = &ui.Score{ID: "win-" + id, Value: int(*d.WinProbability*100 + 0.5)}
	}
	if recordpage.May(auth.From(r.Context()), auth.Update, rec) {
		out.MoveURL = out.Href + "/move"
	} else {
		out.Locked = "Your role lets you look at this deal, not move it."
	}
	p.nextStep(&out, p.pages.Format(r), st, d)
	return out
}

// nextStep says what comes next, and whether the deal has been left alone.
func (p *Pages) nextStep(out *ui.Card, f ui.Format, st *deals.Stage, d *deals.Deal) {
	if st.Kind != deals.Open {
		out.Step, out.StepText = ui.StepLater, st.Name
		if d.ClosedAt != nil {
			out.StepText = st.Name + " " + f.When(*d.ClosedAt)
		}
		return
	}
	if d.ExpectedCloseDate != nil {
		out.Close = *d.ExpectedCloseDate
	}
	if d.NextActivityAt != nil {
		out.Step = f.DueState(ui.Due{At: *d.NextActivityAt})
		switch out.Step {
		case ui.StepOverdue:
			out.StepText = "Overdue since " + f.When(*d.NextActivityAt)
		case ui.StepToday:
			out.StepText = "Today " + f.Clock(*d.NextActivityAt)
		default:
			out.StepText = "Next " + f.When(*d.NextActivityAt)
		}
	}
	if st.StaleDays != nil && d.StageEnteredAt != nil {
		out.Stale = p.now().Sub(*d.StageEnteredAt) > time.Duration(*st.StaleDays)*24*time.Hour
	}
}
