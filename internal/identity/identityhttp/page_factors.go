package identityhttp

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/a-h/templ"
	"rsc.io/qr"

	"crm/internal/identity"
	"crm/internal/platform/errs"
	"crm/internal/platform/page"
	"crm/internal/record/recordpage"
	"crm/web/ui"
)

// stepCookie holds the token of a sign-in that lacks a step.
const stepCookie = "crm_step"

func (p *Pages) stepToken(r *http.Request) string {
	c, err := r.Cookie(page.HostCookie(stepCookie, p.shell.Site.Secure()))
	if err != nil {
		return ""
	}
	return c.Value
}

// nextStep sends people to what is still asked of them, with the way to where they
// wanted to go.
func (p *Pages) nextStep(w http.ResponseWriter, r *http.Request, s *identity.Session, next string) error {
	http.SetCookie(w, p.cookie(stepCookie, s.Token, int(s.ExpiresAt.Sub(p.now()).Seconds())))
	to := "/sign-in/" + s.Step
	if next != "" {
		to += "?" + url.Values{"next": {next}}.Encode()
	}
	return page.SeeOther(w, r, to)
}

// pastStep lets in after the step.
func (p *Pages) pastStep(w http.ResponseWriter, s *identity.Session) {
	http.SetCookie(w, p.cookie(stepCookie, "", -1))
	p.setSession(w, s)
}

func (p *Pages) codeForm(w http.ResponseWriter, r *http.Request) error {
	if p.stepToken(r) == "" {
		return page.SeeOther(w, r, "/sign-in")
	}
	return p.showCode(w, r, http.StatusOK, ui.SignIn{Next: page.LocalPath(r.URL.Query().Get("next"), "")})
}

func (p *Pages) showCode(w http.ResponseWriter, r *http.Request, status int, body ui.SignIn) error {
	body.Action, body.AskCode, body.Title, body.Intro = "/sign-in/code", true, "One more step", "Prove that it is you."
	page.NoStore(w)
	button := ui.PasskeyButton{Begin: "/sign-in/code/passkey/begin", Finish: "/sign-in/code/passkey?" + url.Values{"next": {body.Next}}.Encode(), Label: "Use a passkey", Failed: noPasskey}
	return p.shell.Bare(w, r, status, ui.BareLayout{Title: body.Title, Brand: p.shell.Product(), Robots: "noindex"}, templ.Join(body, button))
}

const noPasskey = "No passkey was used. Try again, or go on without one."

func (p *Pages) passCode(w http.ResponseWriter, r *http.Request) error {
	body := ui.SignIn{Next: page.LocalPath(r.PostFormValue("next"), "")}
	session, err := p.s.PassCode(r.Context(), p.stepToken(r), r.PostFormValue("code"), p.visit(r))
	switch e := errs.As(err); {
	case e != nil && e.Kind == errs.Invalid:
		body.Error = e.Fields[0].Message
		return p.showCode(w, r, http.StatusUnprocessableEntity, body)
	case e != nil && e.Kind == errs.Limited:
		body.Locked = e.Message
		return p.showCode(w, r, http.StatusTooManyRequests, body)
	case e != nil && e.Kind == errs.Unauthenticated:
		return p.showSignIn(w, r, http.StatusUnprocessableEntity, ui.SignIn{Next: body.Next, Error: e.Message})
	case err != nil:
		return err
	}
	p.pastStep(w, session)
	return page.SeeOther(w, r, afterSignIn(body.Next, session.Slug))
}

func (p *Pages) enrolForm(w http.ResponseWriter, r *http.Request) error {
	if p.stepToken(r) == "" {
		return page.SeeOther(w, r, "/sign-in")
	}
	return p.showEnrol(w, r, http.StatusOK, enrolForm("/sign-in/enrol", page.LocalPath(r.URL.Query().Get("next"), "")))
}

func enrolForm(action, next string) ui.Form {
	return ui.Form{Action: action, Submit: "Confirm", Busy: "Confirming…", Narrow: true, Hidden: []ui.Hidden{{Name: "next", Value: next}}, Groups: []ui.FieldGroup{{Fields: []ui.Field{
		{Name: "code", Label: "Code from the app", Kind: ui.FieldCode, Required: true, Max: 32, Autocomplete: "one-time-code", Help: "Six digits, new every half minute."},
	}}}}
}

func (p *Pages) showEnrol(w http.ResponseWriter, r *http.Request, status int, form ui.Form) error {
	e, err := p.s.EnrolAtDoor(r.Context(), p.stepToken(r))
	if errs.KindOf(err) == errs.Unauthenticated {
		return page.SeeOther(w, r, "/sign-in")
	}
	if err != nil {
		return err
	}
	picture, err := setUp(e)
	if err != nil {
		return err
	}
	body := ui.Titled{Title: "Set up a second factor", Text: "Your workspace asks for one. Scan this with an authenticator app, then enter the code it shows.", Parts: []templ.Component{picture, form}}
	page.NoStore(w)
	return p.shell.Bare(w, r, status, ui.BareLayout{Title: body.Title, Brand: p.shell.Product(), Robots: "noindex"}, body)
}

func (p *Pages) confirmEnrol(w http.ResponseWriter, r *http.Request) error {
	next := page.LocalPath(r.PostFormValue("next"), "")
	codes, session, err := p.s.ConfirmAtDoor(r.Context(), p.stepToken(r), r.PostFormValue("code"), p.visit(r))
	if err != nil {
		if errs.KindOf(err) == errs.Unauthenticated {
			return page.SeeOther(w, r, "/sign-in")
		}
		form := enrolForm("/sign-in/enrol", next)
		if form.Errors, err = refusals(err, form.Groups[0].Fields); err != nil {
			return err
		}
		return p.showEnrol(w, r, http.StatusUnprocessableEntity, form)
	}
	p.pastStep(w, session)
	body := ui.Titled{Title: "Keep these codes", Parts: []templ.Component{ui.CodeList{Text: codesText, Codes: codes, Next: &ui.Link{Label: "Continue", Href: afterSignIn(next, session.Slug)}}}}
	page.NoStore(w)
	return p.shell.Bare(w, r, http.StatusOK, ui.BareLayout{Title: body.Title, Brand: p.shell.Product(), Robots: "noindex"}, body)
}

const codesText = "Each of them opens your account once when you have lost your phone. They are not shown again: print them, or keep them in your password store."

// setUp draws the picture an authenticator app reads.
func setUp(e *identity.Enrolment) (ui.SetUp, error) {
	code, err := qr.Encode(e.URL, qr.M)
	if err != nil {
		return ui.SetUp{}, fmt.Errorf("draw the QR code: %w", err)
	}
	const quiet = 4
	size := code.Size + 2*quiet
	var path strings.Builder
	for y := range code.Size {
		for x := range code.Size {
			if code.Black(x, y) {
				fmt.Fprintf(&path, "M%d %dh1v1h-1z", x+quiet, y+quiet)
			}
		}
	}
	svg := fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" shape-rendering="crispEdges"><path fill="#fff" d="M0 0h%dv%dH0z"/><path d="%s"/></svg>`, size, size, size, size, path.String())
	return ui.SetUp{
		Image: "data:image/svg+xml;base64," + base64.StdEncoding.EncodeToString([]byte(svg)), Alt: "QR code for your authenticator app; the letters below say the same.",
		Text: "Or type this into the app:", Secret: e.Secret,
	}, nil
}

// factors answers the page of one's own second factors.
func (p *Pages) factors(w http.ResponseWriter, r *http.Request) error {
	return p.showFactors(w, r, http.StatusOK, factorsView{})
}

// factorsView is what one answer of the page has beside the standing facts.
type factorsView struct {
	codes []string
	form  *ui.Form // the refused one
	id    string   // where it stands
}

func proofField(f *identity.Factors) ui.Field {
	if f.App {
		return ui.Field{Name: "proof", Label: "A code from your app", Kind: ui.FieldCode, Required: true, Max: 32, Autocomplete: "one-time-code"}
	}
	return ui.Field{Name: "proof", Label: "Your password", Kind: ui.FieldPassword, Max: 1024, Autocomplete: "current-password", Help: "Empty if you have none; then sign in anew just before."}
}

func proofForm(f *identity.Factors, action, submit string) ui.Form {
	field := proofField(f)
	field.Key = submit
	return ui.Form{Action: action, Submit: submit, Narrow: true, Groups: []ui.FieldGroup{{Fields: []ui.Field{field}}}}
}

func (p *Pages) showFactors(w http.ResponseWriter, r *http.Request, status int, view factorsView) error {
	f, err := p.s.Factors(r.Context())
	if err != nil {
		return err
	}
	waiting, err := p.s.PendingTOTP(r.Context())
	if err != nil {
		return err
	}
	body := ui.SettingsPage{Title: "Two-step sign-in", Intro: "A second factor keeps others out even when they know your password."}
	if view.codes != nil {
		body.Sections = append(body.Sections, ui.Section{ID: "codes", Title: "Your recovery codes", Body: ui.CodeList{Text: codesText, Codes: view.codes}})
	}
	switch {
	case f.App:
		codes, remove := proofForm(f, "/account/two-step/codes", "Make new codes"), proofForm(f, "/account/two-step/remove", "Remove the app")
		remove.Danger = true
		body.Sections = append(body.Sections,
			ui.Section{ID: "renew", Title: "Recovery codes", Text: strconv.Itoa(f.RecoveryLeft) + " of 10 are left.", Form: &codes},
			ui.Section{ID: "remove", Title: "Authenticator app", Text: "It is set up.", Form: &remove})
	case waiting != nil:
		picture, err := setUp(waiting)
		if err != nil {
			return err
		}
		form := enrolForm("/account/two-step/confirm", "")
		body.Sections = append(body.Sections, ui.Section{ID: "app", Title: "Authenticator app", Text: "Scan this with the app, then enter the code it shows.", Body: picture}, ui.Section{ID: "confirm", Title: "Confirm", Form: &form})
	default:
		form := proofForm(f, "/account/two-step", "Set up an app")
		body.Sections = append(body.Sections, ui.Section{ID: "app", Title: "Authenticator app", Text: "An app on your phone shows a new code every half minute.", Form: &form})
	}
	body.Sections = append(body.Sections, passkeySections(r, f)...)
	for i := range body.Sections {
		if view.form != nil && body.Sections[i].ID == view.id {
			body.Sections[i].Form = view.form
		}
	}
	page.NoStore(w)
	return p.shell.Page(w, r, status, recordpage.Head{Title: body.Title}, body)
}

// again shows the page with a refused form in its place.
func (p *Pages) again(w http.ResponseWriter, r *http.Request, id string, form ui.Form, err error) error {
	if form.Errors, err = refusals(err, form.Groups[0].Fields); err != nil {
		return err
	}
	return p.showFactors(w, r, http.StatusUnprocessableEntity, factorsView{form: &form, id: id})
}

func (p *Pages) startApp(w http.ResponseWriter, r *http.Request) error {
	f, err := p.s.Factors(r.Context())
	if err != nil {
		return err
	}
	if _, err := p.s.StartTOTP(r.Context(), r.PostFormValue("proof")); err != nil {
		return p.again(w, r, "app", proofForm(f, "/account/two-step", "Set up an app"), err)
	}
	return page.SeeOther(w, r, "/account/two-step")
}

func (p *Pages) confirmApp(w http.ResponseWriter, r *http.Request) error {
	codes, session, err := p.s.FinishTOTP(r.Context(), r.PostFormValue("code"), p.visit(r))
	if err != nil {
		return p.again(w, r, "confirm", enrolForm("/account/two-step/confirm", ""), err)
	}
	p.setSession(w, session)
	return p.showFactors(w, r, http.StatusOK, factorsView{codes: codes})
}

func (p *Pages) newCodes(w http.ResponseWriter, r *http.Request) error {
	codes, err := p.s.NewRecoveryCodes(r.Context(), r.PostFormValue("proof"))
	if err != nil {
		return p.again(w, r, "renew", proofForm(&identity.Factors{App: true}, "/account/two-step/codes", "Make new codes"), err)
	}
	return p.showFactors(w, r, http.StatusOK, factorsView{codes: codes})
}

func (p *Pages) removeApp(w http.ResponseWriter, r *http.Request) error {
	if err := p.s.RemoveTOTP(r.Context(), r.PostFormValue("proof")); err != nil {
		return p.again(w, r, "remove", proofForm(&identity.Factors{App: true}, "/account/two-step/remove", "Remove the app"), err)
	}
	p.shell.Site.SetFlash(w, page.Flash{Text: "The app is removed."})
	return page.SeeOther(w, r, "/account/two-step")
}

func (p *Pages) resetMFA(w http.ResponseWriter, r *http.Request) error {
	u, err := p.person(r)
	if err != nil {
		return err
	}
	if err := p.s.ResetMFA(r.Context(), u.ID); err != nil {
		return err
	}
	return p.backToUser(w, r, u, "The second factors of "+u.Name+" are gone.")
}
