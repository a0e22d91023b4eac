package identityhttp

import (
	"net/http"
	"strconv"

	"crm/internal/platform/page"
	"crm/internal/platform/rest"
	"crm/web/ui"
)

// sessionSection lists where the person is signed in.
func (p *Pages) sessionSection(r *http.Request) (ui.Section, error) {
	open, err := p.s.Sessions(r.Context())
	out := ui.Section{ID: "sessions", Title: "Where you are signed in", Text: "Sign out what you do not know, then change your password.", Actions: []ui.Action{{Label: "Sign out", Icon: "log-out", Post: "/sign-out"}}}
	table := &ui.Table{Caption: "Open sessions", Empty: "None.", Columns: []ui.Column{{Label: "Device", Width: ui.WidthWide}, {Label: "Address", Phone: ui.PhoneSub}, {Label: "Last used", Phone: ui.PhoneBelow}, {Label: "Signed in", Phone: ui.PhoneBelow}, {Label: "State", Phone: ui.PhoneAside}}}
	for _, o := range open {
		row := ui.Row{ID: o.ID.String(), Cells: []ui.Value{ui.Text(o.Device), ui.Text(o.Address), ui.Time{At: o.SeenAt}, ui.Time{At: o.CreatedAt}, ui.None{}}}
		if o.Current {
			row.Cells[4] = ui.Choice{Label: "This one", Tone: ui.ToneGood}
		} else {
			row.Actions = []ui.Action{{Label: "Sign out", Post: "/account/sessions/" + o.ID.String() + "/end"}}
		}
		table.Rows = append(table.Rows, row)
	}
	if len(open) > 1 {
		out.Actions = append(out.Actions, ui.Action{Label: "Sign out everywhere else", Post: "/account/sessions/end-others"})
	}
	out.Table = table
	return out, err
}

func (p *Pages) endSession(w http.ResponseWriter, r *http.Request) error {
	id, err := rest.PathID(r, "id")
	if err != nil {
		return err
	}
	if err := p.s.EndSession(r.Context(), id); err != nil {
		return err
	}
	p.shell.Site.SetFlash(w, page.Flash{Text: "Signed out there."})
	return page.SeeOther(w, r, "/account")
}

func (p *Pages) endOtherSessions(w http.ResponseWriter, r *http.Request) error {
	n, err := p.s.EndOtherSessions(r.Context())
	if err != nil {
		return err
	}
	text := "You were signed in nowhere else."
	if n > 0 {
		text = "Signed out on " + strconv.Itoa(n) + " other " + plural(n, "device", "devices") + "."
	}
	p.shell.Site.SetFlash(w, page.Flash{Text: text})
	return page.SeeOther(w, r, "/account")
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}
