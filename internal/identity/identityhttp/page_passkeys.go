package identityhttp

import (
	"encoding/json"
	"io"
	"net/http"

	"github.com/google/uuid"

	"crm/internal/identity"
	"crm/internal/platform/errs"
	"crm/internal/platform/page"
	"crm/internal/platform/rest"
	"crm/web/ui"
)

// passkeyCookie holds the sealed state of a ceremony between its two requests.
const passkeyCookie = "crm_passkey"

// passkeyCall is what the browser's script sends.
type passkeyCall struct {
	Name       string          `json:"name"`
	Proof      string          `json:"proof"`
	Credential json.RawMessage `json:"credential"`
}

// maxPasskey bounds what an authenticator's answer takes, in bytes.
const maxPasskey = 64 << 10

func readCall(w http.ResponseWriter, r *http.Request) (*passkeyCall, error) {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxPasskey))
	var in passkeyCall
	if err != nil || json.Unmarshal(raw, &in) != nil {
		return nil, errs.New(errs.Malformed, "not_json", "The request could not be read.")
	}
	return &in, nil
}

func (p *Pages) passkeyState(r *http.Request) string {
	c, err := r.Cookie(page.HostCookie(passkeyCookie, p.shell.Site.Secure()))
	if err != nil {
		return ""
	}
	return c.Value
}

func (p *Pages) answerOptions(w http.ResponseWriter, options any, state string, err error) error {
	if err != nil {
		return err
	}
	http.SetCookie(w, p.cookie(passkeyCookie, state, 300))
	page.NoStore(w)
	return rest.JSON(w, http.StatusOK, options)
}

// done ends a ceremony and tells the script where to go.
func (p *Pages) done(w http.ResponseWriter, to string) error {
	http.SetCookie(w, p.cookie(passkeyCookie, "", -1))
	page.NoStore(w)
	return rest.JSON(w, http.StatusOK, map[string]string{"to": to})
}

func (p *Pages) beginPasskey(w http.ResponseWriter, r *http.Request) error {
	in, err := readCall(w, r)
	if err != nil {
		return err
	}
	options, state, err := p.s.BeginPasskey(r.Context(), in.Proof)
	return p.answerOptions(w, options, state, err)
}

func (p *Pages) addPasskey(w http.ResponseWriter, r *http.Request) error {
	in, err := readCall(w, r)
	if err != nil {
		return err
	}
	k, err := p.s.FinishPasskey(r.Context(), p.passkeyState(r), in.Name, in.Credential)
	if err != nil {
		return err
	}
	p.shell.Site.SetFlash(w, page.Flash{Text: "“" + k.Name + "” can sign you in now."})
	return p.done(w, "/account/two-step")
}

func (p *Pages) removePasskey(w http.ResponseWriter, r *http.Request) error {
	key, err := uuid.Parse(r.PostFormValue("passkey"))
	if err != nil {
		return errs.Missing("passkey")
	}
	if err := p.s.RemovePasskey(r.Context(), key, r.PostFormValue("proof")); err != nil {
		f, factorsErr := p.s.Factors(r.Context())
		if factorsErr != nil {
			return err
		}
		form := removePasskeyForm(f)
		form.Groups[0].Fields[0].Value = key.String()
		return p.again(w, r, "remove-passkey", form, err)
	}
	p.shell.Site.SetFlash(w, page.Flash{Text: "The passkey is removed."})
	return page.SeeOther(w, r, "/account/two-step")
}

func (p *Pages) beginPasskeySignIn(w http.ResponseWriter, r *http.Request) error {
	options, state, err := p.s.BeginPasskeySignIn(r.Context(), p.visit(r))
	return p.answerOptions(w, options, state, err)
}

func (p *Pages) passkeySignIn(w http.ResponseWriter, r *http.Request) error {
	in, err := readCall(w, r)
	if err != nil {
		return err
	}
	session, err := p.s.PasskeySignIn(r.Context(), p.passkeyState(r), in.Credential, p.visit(r))
	return p.inByPasskey(w, r, session, err)
}

func (p *Pages) beginPasskeyStep(w http.ResponseWriter, r *http.Request) error {
	options, state, err := p.s.BeginPasskeyStep(r.Context(), p.stepToken(r))
	return p.answerOptions(w, options, state, err)
}

func (p *Pages) passPasskey(w http.ResponseWriter, r *http.Request) error {
	in, err := readCall(w, r)
	if err != nil {
		return err
	}
	session, err := p.s.PassPasskey(r.Context(), p.stepToken(r), p.passkeyState(r), in.Credential, p.visit(r))
	return p.inByPasskey(w, r, session, err)
}

func (p *Pages) inByPasskey(w http.ResponseWriter, r *http.Request, s *identity.Session, err error) error {
	if err != nil {
		return err
	}
	p.pastStep(w, s)
	return p.done(w, afterSignIn(page.LocalPath(r.URL.Query().Get("next"), ""), s.Slug))
}

// passkeySections list the passkeys, add one, and remove one.
func passkeySections(r *http.Request, f *identity.Factors) []ui.Section {
	table := &ui.Table{Caption: "Your passkeys", Empty: "None yet.", Columns: []ui.Column{{Label: "Name", Width: ui.WidthWide}, {Label: "Made", Phone: ui.PhoneSub}, {Label: "Last used", Phone: ui.PhoneBelow}}}
	for _, k := range f.Passkeys {
		row := ui.Row{ID: k.ID.String(), Cells: []ui.Value{ui.Text(k.Name), ui.Time{At: k.CreatedAt}, ui.None{}}}
		if k.LastUsedAt != nil {
			row.Cells[2] = ui.Time{At: *k.LastUsedAt}
		}
		table.Rows = append(table.Rows, row)
	}
	proof := proofField(f)
	proof.Key = "passkey"
	out := []ui.Section{
		{ID: "passkeys", Title: "Passkeys", Text: "Sign in with your fingerprint, face or a key instead of a password.", Table: table},
		{ID: "add-passkey", Title: "Add a passkey", Text: "This needs a browser with passkeys and script.", Body: ui.PasskeyButton{
			Begin: "/account/passkeys/begin", Finish: "/account/passkeys", Label: "Add a passkey", Name: "name", NameLabel: "Name of the device", Proof: &proof, Failed: "No passkey was made. Try again.",
		}},
	}
	if len(f.Passkeys) > 0 {
		form := removePasskeyForm(f)
		out = append(out, ui.Section{ID: "remove-passkey", Title: "Remove a passkey", Form: &form})
	}
	return out
}

func removePasskeyForm(f *identity.Factors) ui.Form {
	which := ui.Field{Name: "passkey", Label: "Which one", Kind: ui.FieldSelect, Required: true}
	for _, k := range f.Passkeys {
		which.Options = append(which.Options, ui.Option{Value: k.ID.String(), Label: k.Name})
	}
	proof := proofField(f)
	proof.Key = "remove-passkey"
	return ui.Form{Action: "/account/passkeys/remove", Submit: "Remove", Danger: true, Narrow: true, Groups: []ui.FieldGroup{{Fields: []ui.Field{which, proof}}}}
}
