package leads

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/db"
	"crm/internal/platform/errs"
	"crm/internal/record"
)

// sourceForm is the source of a lead that came through a form.
const sourceForm = "form"

// Limits of a submission.
const (
	maxSubmission = 64 << 10 // bytes of all values together
	maxVisitURL   = 2000     // characters of referrer and landing page
	maxPublicID   = 64
)

// Submission is what a stranger sent. Values are by field name ("email",
// "custom.budget"). Origin is the site the form stands on, "" for the hosted page
// and for programs. Address is the sender's network address, for the limit and as
// proof of consent.
type Submission struct {
	Values      map[string]string
	UTM         map[string]string
	Referrer    string
	LandingPage string
	Consent     bool
	Honeypot    string // the trap field: people leave it empty
	Origin      string
	Address     string
}

// Receipt is what the sender gets to see. LeadID is for our own code; it is zero
// for a submission that was dropped.
type Receipt struct {
	Thanks      string
	RedirectURL string
	LeadID      uuid.UUID
}

// FormView is a form as its page shows it.
type FormView struct {
	PublicID    string
	Name        string
	Title       string
	Intro       string
	Thanks      string
	RedirectURL string
	ConsentText string
	Hosts       []string // sites that may embed it; empty = all
	Fields      []ViewField
}

// ViewField is one control of a form.
type ViewField struct {
	Name     string
	Label    string
	Type     string // the field's type, such as email or select
	Required bool
	Options  []record.Option
}

// openForm is a form found by its public id, with what reading input needs.
type openForm struct {
	*LeadForm
	def      *record.Definition
	currency string
}

func errNoForm() error {
	return errs.New(errs.NotFound, "no_such_form", "There is no form at this address. Ask whoever gave it to you for a new one.")
}

// Form returns the form behind a public id, for showing it. It needs no actor.
func (s *Service) Form(ctx context.Context, publicID string) (*FormView, error) {
	_, form, err := s.open(ctx, publicID)
	if err != nil {
		return nil, err
	}
	view := &FormView{
		PublicID: form.PublicID, Name: form.Name, Title: form.Title, Intro: form.Intro, Thanks: form.Thanks,
		RedirectURL: form.RedirectURL, ConsentText: form.ConsentText, Hosts: form.AllowedHosts,
	}
	for _, f := range keptFields(form.Fields) {
		field, ok := form.def.Field(f.Name)
		if !ok { // a custom field that was removed since
			continue
		}
		label := f.Label
		if label == "" {
			label = field.Label
		}
		view.Fields = append(view.Fields, ViewField{Name: f.Name, Label: label, Type: field.Type.Name(), Required: f.Required, Options: field.Options})
	}
	return view, nil
}

// Submit makes a lead of a submission. It needs no actor. Refusals name the field
// as the form does; a filled trap is thanked and dropped.
func (s *Service) Submit(ctx context.Context, publicID string, sub Submission) (*Receipt, error) {
	if wait := s.limit.Allow(ctx, "form:"+publicID+":"+sub.Address); wait > 0 {
		e := errs.New(errs.Limited, "too_many_submissions", "This form was sent too often from here. Wait a minute and try again.")
		e.RetryAfter = wait
		return nil, e
	}
	ctx, form, err := s.open(ctx, publicID)
	if err != nil {
		return nil, err
	}
	receipt := &Receipt{Thanks: form.Thanks, RedirectURL: form.RedirectURL}
	if sub.Honeypot != "" {
		s.log.InfoContext(ctx, "form submission dropped", "reason", "trap", "form_id", form.ID)
		return receipt, nil
	}
	values, err := form.read(sub, s.now().UTC())
	if err != nil {
		return nil, err
	}
	res, err := s.Leads.One(ctx, record.Operation{Kind: record.OpCreate, Patch: values, Data: map[string]any{"form_id": form.ID, "form": form.Name}})
	if err != nil {
		return nil, err
	}
	receipt.LeadID = res.Record.ID()
	return receipt, nil
}

// open finds the form and its tenant and returns a context that acts for it.
func (s *Service) open(ctx context.Context, publicID string) (context.Context, *openForm, error) {
	if publicID == "" || len(publicID) > maxPublicID {
		return nil, nil, errNoForm()
	}
	var tenant, id uuid.UUID
	err := s.k.DB.System(ctx, func(ctx context.Context, tx pgx.Tx) error {
		return tx.QueryRow(ctx, `select tenant_id, form_id from lead_form_tenant($1)`, record.CleanText(publicID)).Scan(&tenant, &id)
	})
	if errs.KindOf(err) == errs.NotFound {
		return nil, nil, errNoForm()
	}
	if err != nil {
		return nil, nil, err
	}
	ctx = auth.With(ctx, formActor(tenant))
	form := &openForm{}
	if form.LeadForm, err = s.Forms.Get(ctx, id); err != nil {
		return nil, nil, err
	}
	if form.def, err = s.k.Definition(ctx, "lead"); err != nil {
		return nil, nil, err
	}
	form.currency, err = s.currency(ctx)
	ctx = auth.As(ctx, func(a *auth.Actor) { a.Name = "form " + form.Name })
	return ctx, form, err
}

// formActor may read the form and create leads, nothing else.
func formActor(tenant uuid.UUID) *auth.Actor {
	return &auth.Actor{
		Kind: auth.System, TenantID: tenant, Name: "form", Role: "form", Via: auth.ViaForm,
		Grants: auth.Grants{"lead_form:read": auth.All, "lead:create": auth.All},
	}
}

func (s *Service) currency(ctx context.Context) (string, error) {
	var currency string
	err := s.k.DB.Read(ctx, db.Query{SQL: tenantCurrency}, func(rows pgx.Rows) (err error) {
		currency, err = pgx.CollectExactlyOneRow(rows, pgx.RowTo[string])
		return err
	})
	return currency, err
}

// read turns a submission into the values of a lead.
func (f *openForm) read(sub Submission, now time.Time) (record.Patch, error) {
	if len(f.AllowedHosts) > 0 && sub.Origin != "" && !slices.Contains(f.AllowedHosts, hostOf(sub.Origin)) {
		return nil, errs.New(errs.Forbidden, "site_not_allowed", "This form may not be sent from %s. Its owner can allow that in the form's settings.", hostOf(sub.Origin))
	}
	values, err := f.readValues(sub)
	if err != nil {
		return nil, err
	}
	values["source"], values["form_id"] = sourceForm, f.ID
	values["referrer"], values["landing_page"] = visitURL(sub.Referrer), visitURL(sub.LandingPage)
	values["utm"] = visitUTM(sub.UTM)
	if f.OwnerID != nil {
		values["owner_id"] = *f.OwnerID
	}
	if f.TeamID != nil {
		values["team_id"] = *f.TeamID
	}
	if f.ConsentText != "" {
		values["consent"] = map[string]any{"given": true, "text": f.ConsentText, "at": now.Format(time.RFC3339), "address": record.CleanText(sub.Address)}
	}
	return values, nil
}

// readValues accepts the form's own fields only and reports every refused one.
func (f *openForm) readValues(sub Submission) (record.Patch, error) {
	asked := map[string]FormField{}
	var refused errs.Fields
	for _, field := range keptFields(f.Fields) {
		asked[field.Name] = field
		if field.Required && strings.TrimSpace(record.CleanText(sub.Values[field.Name])) == "" {
			refused.Add(field.Name, "required", "Please fill this in.")
		}
	}
	size := 0
	for name, value := range sub.Values {
		size += len(value)
		if _, ok := asked[name]; !ok {
			refused.Add(name, "unknown_field", "This form does not ask for %q.", record.CleanText(name))
		}
	}
	if size > maxSubmission {
		return nil, errs.New(errs.TooLarge, "submission_too_large", "That is more than this form takes. Shorten the longest text.")
	}
	if f.ConsentText != "" && !sub.Consent {
		refused.Add("consent", "required", "Please agree to this to send the form.")
	}
	if err := refused.Err(); err != nil {
		return nil, err
	}
	return f.def.ParseText(sub.Values, record.FromText, f.currency)
}

// visitURL keeps a web address and drops everything else: what a browser says of
// a visit is a clue, no reason to refuse somebody.
func visitURL(s string) any {
	s = strings.TrimSpace(record.CleanText(s))
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil
	}
	u.User = nil
	return cut(u.String(), maxVisitURL)
}

func visitUTM(utm map[string]string) any {
	out := map[string]any{}
	for _, key := range utmKeys {
		if s := cut(strings.TrimSpace(record.CleanText(utm[key])), maxUTM); s != "" {
			out[key] = s
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

func cut(s string, runes int) string {
	r := []rune(s)
	return string(r[:min(len(r), runes)])
}
