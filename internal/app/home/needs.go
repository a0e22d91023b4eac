package home

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"crm/internal/platform/auth"
	"crm/internal/record"
	"crm/internal/record/recordpage"
	"crm/web/ui"
)

const (
	// shown is how many of a kind stand on the page; the rest is behind "All".
	shown = 6
	// hot is the score from which a new lead should be called today.
	hot = 70
)

// tasks are the reader's open activities, overdue and due today.
func (v *visit) tasks() ([]ui.NeedGroup, error) {
	o, ok := v.object("activity")
	if !ok {
		return nil, nil
	}
	open := all(v.mine(o), where(o, "done_at", record.IsNull, true))
	tomorrow := midnight(v.now).AddDate(0, 0, 1)
	late, err := v.list(o, "due_at", shown, all(open, where(o, "due_at", record.Lt, v.now.UTC())))
	if err != nil {
		return nil, err
	}
	today, err := v.list(o, "due_at", shown, all(open, where(o, "due_at", record.Gte, v.now.UTC()), where(o, "due_at", record.Lt, tomorrow.UTC())))
	if err != nil {
		return nil, err
	}
	var out []ui.NeedGroup
	for _, g := range []struct {
		title string
		tone  ui.Tone
		page  *record.Page
	}{{"Overdue", ui.ToneBad, late}, {"Today", ui.ToneGood, today}} {
		if len(g.page.Records) == 0 {
			continue
		}
		about, err := v.about(g.page.Records)
		if err != nil {
			return nil, err
		}
		out = append(out, v.taskGroup(g.title, g.tone, g.page, about))
	}
	return out, nil
}

func (v *visit) taskGroup(title string, tone ui.Tone, page *record.Page, about map[uuid.UUID]string) ui.NeedGroup {
	q := url.Values{"owner_id": {v.actor.ID.String()}, "done_at[is_null]": {"true"}, "sort": {"due_at"}}
	g := ui.NeedGroup{Title: title, Tone: tone, Count: total(page), More: recordpage.Path(v.r, "activities") + "?" + q.Encode()}
	for _, rec := range page.Records {
		due, _ := rec.Get("due_at").(time.Time)
		g.Items = append(g.Items, ui.Need{
			Icon: activityIcon(rec.Text("type")), Name: rec.Title(), Href: v.href(rec), Reason: joined(about[rec.ID()], taskReason(rec, due, v.now)), When: ui.Due{At: due},
			Action: &ui.Action{Label: "Done", Icon: "check", Post: v.href(rec) + "/done", Fields: []ui.Hidden{{Name: "back", Value: v.r.URL.Path}}},
		})
	}
	return g
}

// about names whom each activity is about, one query per object.
func (v *visit) about(list []*record.Record) (map[uuid.UUID]string, error) {
	first := map[uuid.UUID]struct {
		object string
		id     uuid.UUID
	}{}
	byObject := map[string][]uuid.UUID{}
	for _, rec := range list {
		links, _ := rec.Get("related").([]any)
		if len(links) == 0 {
			continue
		}
		m, _ := links[0].(map[string]any)
		object, _ := m["object"].(string)
		text, _ := m["id"].(string)
		id, err := uuid.Parse(text)
		if err != nil {
			continue
		}
		first[rec.ID()] = struct {
			object string
			id     uuid.UUID
		}{object, id}
		byObject[object] = append(byObject[object], id)
	}
	names := map[uuid.UUID]string{}
	for object, ids := range byObject {
		found, err := v.pages.Titles(v.ctx, object, ids)
		if err != nil {
			return nil, err
		}
		for id, name := range found {
			names[id] = name
		}
	}
	out := map[uuid.UUID]string{}
	for activity, link := range first {
		out[activity] = names[link.id]
	}
	return out, nil
}

func activityIcon(kind string) string {
	switch kind {
	case "call":
		return "phone"
	case "meeting":
		return "calendar"
	case "email":
		return "mail"
	}
	return "circle-check"
}

// taskReason says why it is on the list, in days a person counts.
func taskReason(rec *record.Record, due, now time.Time) string {
	kind := rec.Text("type")
	if kind == "" {
		kind = "task"
	}
	kind = strings.ToUpper(kind[:1]) + kind[1:]
	days := int(midnight(now).Sub(midnight(due.In(now.Location()))).Hours()+12) / 24
	switch {
	case days == 1:
		return kind + ", due yesterday"
	case days > 1:
		return kind + ", " + strconv.Itoa(days) + " days overdue"
	case due.Before(now):
		return kind + ", overdue since this morning"
	}
	return kind + ", due today"
}

func midnight(t time.Time) time.Time {
	y, m, d := t.Date()
	return time.Date(y, m, d, 0, 0, 0, 0, t.Location())
}

// hotLeads are new ones the model thinks highly of, best first.
func (v *visit) hotLeads() ([]ui.NeedGroup, error) {
	o, ok := v.object("lead")
	if !ok {
		return nil, nil
	}
	page, err := v.list(o, "-score", shown, all(where(o, "score", record.Gte, int64(hot)), where(o, "status", record.In, "new", "working")))
	if err != nil || len(page.Records) == 0 {
		return nil, err
	}
	q := url.Values{"score[gte]": {strconv.Itoa(hot)}, "status[in]": {"new,working"}, "sort": {"-score"}}
	g := ui.NeedGroup{Title: "Hot leads", Tone: ui.ToneWarn, Count: total(page), More: recordpage.Path(v.r, "leads") + "?" + q.Encode()}
	for _, rec := range page.Records {
		created, _ := rec.Get("created_at").(time.Time)
		g.Items = append(g.Items, ui.Need{
			Icon: "magnet", Name: rec.Title(), Href: v.href(rec), Reason: leadReason(rec), When: ui.Time{At: created}, Score: recordpage.ScoreOf(rec),
			Action: &ui.Action{Label: "Look", Href: v.href(rec)},
		})
	}
	return []ui.NeedGroup{g}, nil
}

func leadReason(rec *record.Record) string {
	parts := []string{}
	for _, name := range []string{"company", "source"} {
		if s := rec.Text(name); s != "" {
			parts = append(parts, s)
		}
	}
	if rec.Get("first_response_at") == nil {
		parts = append(parts, "no answer yet")
	}
	return strings.Join(parts, " · ")
}

// stalledDeals are the reader's open deals without a next step, the largest first.
func (v *visit) stalledDeals() ([]ui.NeedGroup, error) {
	o, ok := v.object("deal")
	if !ok {
		return nil, nil
	}
	f := all(where(o, "status", record.Eq, "open"), where(o, "next_activity_at", record.IsNull, true), v.mine(o))
	page, err := v.list(o, "-amount", shown, f)
	if err != nil || len(page.Records) == 0 {
		return nil, err
	}
	companies, err := v.names(page.Records, "account_id", "account")
	if err != nil {
		return nil, err
	}
	stages, err := v.names(page.Records, "stage_id", "stage")
	if err != nil {
		return nil, err
	}
	q := url.Values{"status": {"open"}, "next_activity_at[is_null]": {"true"}, "owner_id": {v.actor.ID.String()}, "sort": {"-amount"}}
	g := ui.NeedGroup{Title: "Deals without a next step", Tone: ui.ToneWarn, Count: total(page), More: recordpage.Path(v.r, "deals") + "?" + q.Encode()}
	for _, rec := range page.Records {
		account, _ := rec.Get("account_id").(uuid.UUID)
		stage, _ := rec.Get("stage_id").(uuid.UUID)
		n := ui.Need{Icon: "handshake", Name: rec.Title(), Href: v.href(rec), Reason: joined(companies[account], stages[stage]), When: amount(rec)}
		if v.actor.Grants.Scope("activity", auth.Create) != auth.None {
			n.Action = &ui.Action{Label: "Plan", Icon: "plus", Href: v.href(rec) + "#compose-task"}
		}
		g.Items = append(g.Items, n)
	}
	return []ui.NeedGroup{g}, nil
}

func joined(parts ...string) string {
	var kept []string
	for _, s := range parts {
		if s != "" {
			kept = append(kept, s)
		}
	}
	return strings.Join(kept, " · ")
}
