package leads

import (
	"context"
	"crypto/rand"
	"strings"

	"github.com/jackc/pgx/v5"

	"crm/internal/platform/errs"
	"crm/internal/record"
)

// LeadForm is a public form. PublicID is its unguessable address. Fields is a
// list of {name, label, required} over the lead's fields; OwnerID and TeamID are
// who gets its leads. AllowedHosts limits the sites it may be sent from; the
// hosted page is always allowed. ConsentText, when set, must be agreed to.
type LeadForm struct {
	record.Base
	Name         string   `crm:"name,text,required,title"`
	PublicID     string   `crm:"public_id,text,readonly" label:"Public id"`
	Title        string   `crm:"title,text" label:"Heading"`
	Intro        string   `crm:"intro,long_text"`
	Thanks       string   `crm:"thanks,long_text" label:"Thank-you text"`
	RedirectURL  string   `crm:"redirect_url,url" label:"Redirect to"`
	Fields       any      `crm:"fields,json"`
	ConsentText  string   `crm:"consent_text,long_text" label:"Consent text"`
	Active       bool     `crm:"active,boolean,default=true"`
	AllowedHosts []string `crm:"allowed_hosts,list" label:"Allowed sites"`
}

// FormField is one field of a form: Name is a lead's field or "custom.<name>".
type FormField struct {
	Name     string
	Label    string // "" = the field's own
	Required bool
}

func (s *Service) registerForms(k *record.Kernel) (err error) {
	s.Forms, err = record.Register[LeadForm](k, record.Definition{
		Name: "lead_form", Plural: "lead_forms", Label: "Lead form", LabelPlural: "Lead forms", System: true, NoSearch: true,
		ListFields: []string{"name", "public_id", "active", "owner_id", "created_at"},
	}, record.HooksFor[LeadForm]{Before: s.beforeForms})
	return err
}

func (s *Service) beforeForms(ctx context.Context, _ pgx.Tx, changes []record.TypedChange[LeadForm]) error {
	if record.Undoing(ctx) {
		return nil
	}
	def, err := s.k.Definition(ctx, "lead")
	if err != nil {
		return err
	}
	for _, c := range changes {
		if c.Old == nil {
			c.New.PublicID = strings.ToLower(rand.Text()) // 130 bits
		}
		if err := prepareForm(c.Old, c.New, def); err != nil {
			return err
		}
	}
	return nil
}

// prepareForm brings fields and hosts into their one form. def is the lead's
// definition with the tenant's custom fields.
func prepareForm(old, form *LeadForm, def *record.Definition) error {
	var hosts []string
	for _, host := range form.AllowedHosts {
		if hostOf(host) == "" {
			return errs.Field("allowed_hosts", "not_a_host", "%q is no site. Enter hosts like www.acme.com.", host)
		}
		hosts = append(hosts, hostOf(host))
	}
	form.AllowedHosts = hosts
	if old != nil && record.Same(old.Fields, form.Fields) {
		return nil
	}
	if form.Fields == nil {
		form.Fields = storedFields(defaultFields)
		return nil
	}
	fields, err := readFields(form.Fields, def)
	if err != nil {
		return err
	}
	form.Fields = storedFields(fields)
	return nil
}

var defaultFields = []FormField{
	{Name: "first_name"}, {Name: "last_name"}, {Name: "email", Required: true}, {Name: "company"}, {Name: "message"},
}

// formFields are the lead's fields a stranger may fill in, and whether the lead
// can be known by them.
var formFields = map[string]bool{
	"first_name": true, "last_name": true, "email": true, "phone": true, "company": true, "website": true,
	"title": false, "industry": false, "employees": false, "message": false,
}

const maxFormFields = 50

// readFields checks the list of a form's fields. A bare text stands for a field
// that is not required.
func readFields(raw any, def *record.Definition) ([]FormField, error) {
	items, ok := raw.([]any)
	if !ok || len(items) == 0 || len(items) > maxFormFields {
		return nil, errFields(`fields must be a list of 1 to %d entries like {"name":"email","required":true}.`, maxFormFields)
	}
	var out []FormField
	seen, identifies := map[string]bool{}, false
	for _, item := range items {
		f, err := readField(item)
		if err != nil {
			return nil, err
		}
		identifying, standard := formFields[f.Name]
		if _, known := def.Field(f.Name); !known || (!standard && !strings.HasPrefix(f.Name, "custom.")) {
			return nil, errFields("A form cannot ask for %q. Use the lead's own contact fields or custom.<name>.", f.Name)
		}
		if seen[f.Name] {
			return nil, errFields("The field %q stands twice in the form.", f.Name)
		}
		seen[f.Name] = true
		identifies = identifies || identifying
		out = append(out, f)
	}
	if !identifies {
		return nil, errFields("A form must ask for a name, an e-mail address, a phone number or a company, or its leads could not be told apart.")
	}
	return out, nil
}

func errFields(format string, args ...any) error {
	return errs.Field("fields", "bad_fields", format, args...)
}

func readField(item any) (FormField, error) {
	if s, ok := item.(string); ok {
		item = map[string]any{"name": s}
	}
	m, ok := item.(map[string]any)
	if !ok {
		return FormField{}, errFields(`Each field is an entry like {"name":"email","required":true}.`)
	}
	var f FormField
	for key, v := range m {
		fits := false
		switch key {
		case "name":
			f.Name, fits = v.(string)
		case "label":
			f.Label, fits = v.(string)
			fits = fits || v == nil
		case "required":
			f.Required, fits = v.(bool)
		}
		if !fits || len(f.Label) > 200 {
			return FormField{}, errFields("A field has a name, a label (a text) and required (true or false).")
		}
	}
	f.Label = strings.TrimSpace(record.CleanText(f.Label))
	return f, nil
}

// storedFields is what the column holds; keptFields reads it.
func storedFields(fields []FormField) any {
	out := make([]any, len(fields))
	for i, f := range fields {
		out[i] = map[string]any{"name": f.Name, "label": f.Label, "required": f.Required}
	}
	return out
}

func keptFields(raw any) []FormField {
	items, _ := raw.([]any)
	var out []FormField
	for _, item := range items {
		if f, err := readField(item); err == nil {
			out = append(out, f)
		}
	}
	return out
}

// hostOf reads the host out of an address or an Origin header; "" when there is
// none. A port does not count.
func hostOf(s string) string {
	s = strings.ToLower(strings.TrimSpace(s))
	if _, rest, ok := strings.Cut(s, "://"); ok {
		s = rest
	}
	if i := strings.IndexAny(s, "/?#"); i >= 0 {
		s = s[:i]
	}
	if i := strings.LastIndexByte(s, ':'); i >= 0 && !strings.HasSuffix(s, "]") {
		s = s[:i]
	}
	if strings.ContainsAny(s, " \t@<>\"'") {
		return ""
	}
	return s
}
