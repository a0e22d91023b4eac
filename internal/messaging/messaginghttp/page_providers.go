package messaginghttp

import (
	"fmt"
	"net/http"
	"strconv"

	"github.com/go-chi/chi/v5"

	"crm/internal/messaging"
	"crm/internal/platform/auth"
	"crm/internal/platform/page"
	"crm/internal/platform/rest"
	"crm/internal/record/recordpage"
	"crm/web/ui"
)

func (p *Pages) providers(w http.ResponseWriter, r *http.Request) error {
	return p.showProviders(w, r, http.StatusOK, nil)
}

// showProviders lists the ways out and offers to add one; refused is the form that
// was sent in vain.
func (p *Pages) showProviders(w http.ResponseWriter, r *http.Request, status int, refused *ui.Form) error {
	list, err := p.s.Providers(r.Context())
	if err != nil {
		return err
	}
	body := ui.SettingsPage{Title: "Providers", Current: "providers", Intro: "Messages leave through the first provider that can be reached, in the order of priority."}
	body.Sections = append(body.Sections, ui.Section{ID: "providers", Title: "In use", Table: providerTable(r, list)})
	if maySet(r, auth.Create) {
		smtp, endpoint := p.providerForm(r, messaging.TypeSMTP, nil), p.providerForm(r, messaging.TypeHTTP, nil)
		if refused != nil && refused.ID == smtp.ID {
			smtp = *refused
		} else if refused != nil {
			endpoint = *refused
		}
		body.Sections = append(body.Sections,
			ui.Section{ID: "add-smtp", Title: "Add an SMTP server", Text: "For e-mail, from any mail service.", Form: &smtp},
			ui.Section{ID: "add-http", Title: "Add an HTTP endpoint", Text: "For text and chat messages, or e-mail through a service of your own.", Form: &endpoint})
	}
	return p.settingsPage(w, r, status, body)
}

func (p *Pages) settingsPage(w http.ResponseWriter, r *http.Request, status int, body ui.SettingsPage) error {
	a, err := auth.Must(r.Context())
	if err != nil {
		return err
	}
	body.Menu = p.pages.SettingsMenu(a, chi.URLParam(r, "ws"))
	page.NoStore(w)
	return p.pages.Page(w, r, status, recordpage.Head{Title: body.Title + " · Settings", Section: "settings"}, body)
}

func maySet(r *http.Request, action auth.Action) bool {
	return auth.From(r.Context()).Grants.Scope("provider", action) != auth.None
}

func providerTable(r *http.Request, list []*messaging.Provider) *ui.Table {
	out := &ui.Table{Caption: "Providers", Empty: "No provider yet. Messages wait until there is one.", Columns: []ui.Column{
		{Label: "Name", Width: ui.WidthWide}, {Label: "Channel"}, {Label: "Type", Phone: ui.PhoneSub}, {Label: "Priority", Right: true}, {Label: "State", Phone: ui.PhoneAside}, {Label: "Problem", Phone: ui.PhoneBelow},
	}}
	for _, v := range list {
		path := recordpage.Path(r, "settings", "providers", v.ID.String())
		row := ui.Row{ID: v.ID.String(), Href: path, Dim: v.State == messaging.Disabled, Cells: []ui.Value{
			ui.Text(v.Name), ui.Text(channelWords[v.Channel]), ui.Text(typeWords[v.Type]), ui.Number{Value: float64(v.Priority)}, providerState(v), ui.Text(v.LastError),
		}}
		if maySet(r, auth.Update) {
			row.Actions = []ui.Action{{Label: "Test", Post: path + "/test", Busy: "Testing…"}}
		}
		out.Rows = append(out.Rows, row)
	}
	return out
}

var (
	channelWords = map[string]string{messaging.Email: "E-mail", messaging.SMS: "Text message", messaging.Chat: "Chat"}
	typeWords    = map[string]string{messaging.TypeSMTP: "SMTP server", messaging.TypeHTTP: "HTTP endpoint"}
)

func providerState(v *messaging.Provider) ui.Choice {
	switch v.State {
	case messaging.Active:
		return ui.Choice{Label: "In use", Tone: ui.ToneGood}
	case messaging.Unhealthy:
		return ui.Choice{Label: "Taken out", Tone: ui.ToneBad}
	}
	return ui.Choice{Label: "Switched off"}
}

// providerForm is the form of a new provider, or of v.
func (p *Pages) providerForm(r *http.Request, typ string, v *messaging.Provider) ui.Form {
	text := func(key string) string {
		if v == nil || v.Settings[key] == nil {
			return ""
		}
		return fmt.Sprint(v.Settings[key])
	}
	kept := "It is never shown again."
	if v != nil && len(v.SecretsSet) > 0 {
		kept = "One is set. Leave it empty to keep it."
	}
	f := ui.Form{ID: "provider-" + typ, Action: recordpage.Path(r, "settings", "providers"), Submit: "Add provider", Busy: "Adding…", Hidden: []ui.Hidden{{Name: "type", Value: typ}}}
	fields := []ui.Field{{Name: "name", Label: "Name", Required: true, Max: 200, Placeholder: "Company mail"}, {Name: "priority", Label: "Priority", Kind: ui.FieldNumber, Value: "10", Low: "0", Help: "Lower is tried first."}}
	if typ == messaging.TypeSMTP {
		fields = append(fields,
			ui.Field{Name: "host", Label: "Server", Required: true, Value: text("host"), Placeholder: "smtp.company.com", Autocomplete: "off"},
			ui.Field{Name: "port", Label: "Port", Kind: ui.FieldNumber, Value: text("port"), Low: "1", High: "65535", Help: "Empty means the usual one."},
			ui.Field{Name: "tls", Label: "Encryption", Kind: ui.FieldSelect, Value: text("tls"), Options: []ui.Option{{Value: "starttls", Label: "STARTTLS (587)"}, {Value: "tls", Label: "TLS (465)"}, {Value: "none", Label: "None (25)"}}},
			ui.Field{Name: "username", Label: "User name", Value: text("username"), Autocomplete: "off"},
			ui.Field{Name: "password", Label: "Password", Kind: ui.FieldPassword, Help: kept, Autocomplete: "new-password"},
			ui.Field{Name: "from", Label: "Sender", Required: true, Value: text("from"), Placeholder: "Support <support@company.com>"})
	} else {
		fields = append(fields,
			ui.Field{Name: "channel", Label: "Channel", Kind: ui.FieldSelect, Value: messaging.SMS, Options: []ui.Option{{Value: messaging.SMS, Label: "Text message"}, {Value: messaging.Chat, Label: "Chat"}, {Value: messaging.Email, Label: "E-mail"}}},
			ui.Field{Name: "url", Label: "Address", Kind: ui.FieldURL, Required: true, Value: text("url"), Wide: true},
			ui.Field{Name: "header", Label: "Header for the secret", Value: text("header"), Placeholder: "Authorization"},
			ui.Field{Name: "secret", Label: "Secret", Kind: ui.FieldPassword, Help: kept, Autocomplete: "new-password"},
			ui.Field{Name: "from", Label: "Sender", Value: text("from")})
	}
	if v != nil {
		f.Action, f.Submit, f.Busy = recordpage.Path(r, "settings", "providers", v.ID.String()), "Save", "Saving…"
		f.Hidden = append(f.Hidden, ui.Hidden{Name: "version", Value: strconv.FormatInt(v.Version, 10)})
		fields = filledIn(fields, v)
	}
	f.Groups = []ui.FieldGroup{{Fields: fields}}
	return f
}

// filledIn fills in what is there and locks what cannot be changed.
func filledIn(fields []ui.Field, v *messaging.Provider) []ui.Field {
	for i := range fields {
		switch fields[i].Name {
		case "name":
			fields[i].Value = v.Name
		case "priority":
			fields[i].Value = strconv.Itoa(v.Priority)
		case "channel":
			fields[i].Value, fields[i].Off = v.Channel, "The channel cannot be changed."
		}
	}
	return append(fields, ui.Field{Name: "state", Label: "Use it", Kind: ui.FieldSelect, Value: inUse(v), Options: []ui.Option{{Value: messaging.Active, Label: "Yes"}, {Value: messaging.Disabled, Label: "No"}}})
}

func inUse(v *messaging.Provider) string {
	if v.State == messaging.Disabled {
		return messaging.Disabled
	}
	return messaging.Active
}

// providerInputOf reads the form. An empty password keeps the one that is set.
func providerInputOf(r *http.Request, typ string) messaging.ProviderInput {
	value := func(name string) *string { s := r.PostFormValue(name); return &s }
	in := messaging.ProviderInput{Name: value("name"), Settings: map[string]any{}}
	if n, err := strconv.Atoi(r.PostFormValue("priority")); err == nil {
		in.Priority = &n
	}
	if s := r.PostFormValue("state"); s != "" {
		in.State = &s
	}
	keys := []string{"host", "port", "tls", "username", "from"}
	secret := "password"
	if typ == messaging.TypeHTTP {
		keys, secret = []string{"url", "header", "from"}, "secret"
	}
	for _, key := range keys {
		in.Settings[key] = r.PostFormValue(key)
		if in.Settings[key] == "" {
			in.Settings[key] = nil
		}
	}
	if s := r.PostFormValue(secret); s != "" {
		in.Settings[secret] = s
	}
	return in
}

func (p *Pages) addProvider(w http.ResponseWriter, r *http.Request) error {
	typ := r.PostFormValue("type")
	in := providerInputOf(r, typ)
	in.Type = &typ
	if c := r.PostFormValue("channel"); c != "" {
		in.Channel = &c
	}
	made, err := p.s.CreateProvider(r.Context(), in)
	if err != nil {
		form := p.providerForm(r, typ, nil)
		if err := refill(r, &form, err); err != nil {
			return err
		}
		return p.showProviders(w, r, http.StatusUnprocessableEntity, &form)
	}
	p.pages.Site.SetFlash(w, page.Flash{Text: made.Name + " added. Test it now."})
	return page.SeeOther(w, r, recordpage.Path(r, "settings", "providers", made.ID.String()))
}

func (p *Pages) provider(w http.ResponseWriter, r *http.Request) error {
	return p.showProvider(w, r, http.StatusOK, nil, nil)
}

// showProvider is the page of one provider; refused is the form that was sent in
// vain, banner the outcome of a test.
func (p *Pages) showProvider(w http.ResponseWriter, r *http.Request, status int, refused *ui.Form, banner *ui.Banner) error {
	id, err := rest.PathID(r, "id")
	if err != nil {
		return err
	}
	v, err := p.s.Provider(r.Context(), id)
	if err != nil {
		return err
	}
	path := recordpage.Path(r, "settings", "providers", id.String())
	section := ui.Section{ID: "provider", Title: typeWords[v.Type], Banner: banner}
	if banner == nil && v.LastError != "" {
		section.Banner = &ui.Banner{Tone: ui.ToneBad, Text: v.LastError}
	}
	body := ui.SettingsPage{Title: v.Name, Current: "providers"}
	if maySet(r, auth.Update) {
		form := p.providerForm(r, v.Type, v)
		if refused != nil {
			form = *refused
		}
		section.Form = &form
		section.Actions = []ui.Action{{Label: "Test", Post: path + "/test", Busy: "Testing…"}}
	}
	body.Sections = append(body.Sections, section)
	if maySet(r, auth.Delete) {
		body.Sections = append(body.Sections, ui.Section{
			ID: "delete", Title: "Remove", Text: "Its password is forgotten. Messages take the next provider, or wait.", Danger: true,
			Actions: []ui.Action{{Label: "Remove provider", Weight: ui.Danger, Post: path + "/delete", Ask: "Remove “" + v.Name + "”?"}},
		})
	}
	return p.settingsPage(w, r, status, body)
}

func (p *Pages) saveProvider(w http.ResponseWriter, r *http.Request) error {
	id, err := rest.PathID(r, "id")
	if err != nil {
		return err
	}
	v, err := p.s.Provider(r.Context(), id)
	if err != nil {
		return err
	}
	var version *int64
	if n, err := strconv.ParseInt(r.PostFormValue("version"), 10, 64); err == nil {
		version = &n
	}
	if _, err := p.s.UpdateProvider(r.Context(), id, version, providerInputOf(r, v.Type)); err != nil {
		form := p.providerForm(r, v.Type, v)
		if err := refill(r, &form, err); err != nil {
			return err
		}
		return p.showProvider(w, r, http.StatusUnprocessableEntity, &form, nil)
	}
	p.pages.Site.SetFlash(w, page.Flash{Text: "Saved."})
	return page.SeeOther(w, r, recordpage.Path(r, "settings", "providers", id.String()))
}

func (p *Pages) testProvider(w http.ResponseWriter, r *http.Request) error {
	id, err := rest.PathID(r, "id")
	if err != nil {
		return err
	}
	check, err := p.s.TestProvider(r.Context(), id)
	if err != nil {
		return err
	}
	flash := page.Flash{Text: "It works: connected and signed in."}
	if !check.OK {
		flash = page.Flash{Text: "The test failed (" + check.Step + "): " + check.Message, Bad: true}
	}
	p.pages.Site.SetFlash(w, flash)
	return page.SeeOther(w, r, recordpage.Path(r, "settings", "providers", id.String()))
}

func (p *Pages) deleteProvider(w http.ResponseWriter, r *http.Request) error {
	id, err := rest.PathID(r, "id")
	if err != nil {
		return err
	}
	if err := p.s.DeleteProvider(r.Context(), id); err != nil {
		return err
	}
	p.pages.Site.SetFlash(w, page.Flash{Text: "Provider removed."})
	return page.SeeOther(w, r, recordpage.Path(r, "settings", "providers"))
}
