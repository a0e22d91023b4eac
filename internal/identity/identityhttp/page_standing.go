package identityhttp

import (
	"net/http"
	"strconv"

	"crm/internal/identity"
	"crm/internal/platform/page"
	"crm/internal/record/recordpage"
	"crm/web/ui"
)

// standingSection tells an admin how somebody's way in stands, and what can be done.
func (p *Pages) standingSection(r *http.Request, u *identity.User) (ui.Section, error) {
	st, err := p.s.Standing(r.Context(), u.ID)
	if err != nil {
		return ui.Section{}, err
	}
	at := func(act string) string { return recordpage.Path(r, "settings", "users", u.ID.String(), act) }
	out := ui.Section{ID: "standing", Title: "Sessions and failed attempts", Text: "Signed in on " + strconv.Itoa(st.Sessions) + " " + plural(st.Sessions, "device", "devices") + "."}
	if st.Sessions > 0 {
		out.Actions = append(out.Actions, ui.Action{Label: "Sign out everywhere", Icon: "log-out", Post: at("sign-out")})
	}
	if st.App || st.Passkeys > 0 {
		out.Text += " Has a second factor."
		out.Actions = append(out.Actions, ui.Action{Label: "Remove second factors", Post: at("reset-mfa"), Ask: "Remove the second factors of " + u.Name + "? Do it only when you know that it is them who asked."})
	}
	if st.FailedTries > 0 {
		text := strconv.Itoa(st.FailedTries) + " failed " + plural(st.FailedTries, "attempt", "attempts") + " lately."
		if st.WaitingUntil != nil {
			text += " New devices have to wait before the next one; devices they have used before do not."
		}
		out.Banner = &ui.Banner{Tone: ui.ToneWarn, Text: text}
		out.Actions = append(out.Actions, ui.Action{Label: "Let them try again", Post: at("let-in")})
	}
	return out, nil
}

func (p *Pages) letIn(w http.ResponseWriter, r *http.Request) error {
	u, err := p.person(r)
	if err != nil {
		return err
	}
	if err := p.s.LetIn(r.Context(), u.ID); err != nil {
		return err
	}
	return p.backToUser(w, r, u, u.Name+" can try again now.")
}

func (p *Pages) signOutUser(w http.ResponseWriter, r *http.Request) error {
	u, err := p.person(r)
	if err != nil {
		return err
	}
	if _, err := p.s.EndSessionsOf(r.Context(), u.ID); err != nil {
		return err
	}
	return p.backToUser(w, r, u, u.Name+" is signed out everywhere.")
}

func (p *Pages) backToUser(w http.ResponseWriter, r *http.Request, u *identity.User, text string) error {
	p.shell.Site.SetFlash(w, page.Flash{Text: text})
	return page.SeeOther(w, r, recordpage.Path(r, "settings", "users", u.ID.String()))
}
