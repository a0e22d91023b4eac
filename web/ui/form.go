package ui

import (
	"context"
	"io"

	"github.com/a-h/templ"
)

// FieldKind decides the control of a field.
type FieldKind string

// Controls. Values are always strings as a form would send them: dates as
// 2006-01-02, moments as 2006-01-02T15:04 in the reader's zone, money as a
// decimal amount with the currency in Currency, a checkbox as "1".
const (
	FieldText     FieldKind = "text"
	FieldLong     FieldKind = "long"
	FieldEmail    FieldKind = "email"
	FieldPhone    FieldKind = "phone"
	FieldURL      FieldKind = "url"
	FieldNumber   FieldKind = "number"
	FieldMoney    FieldKind = "money"
	FieldDate     FieldKind = "date"
	FieldDateTime FieldKind = "datetime"
	FieldSelect   FieldKind = "select"
	FieldMulti    FieldKind = "multi"
	FieldCheck    FieldKind = "check"
	FieldSwitch   FieldKind = "switch"
	FieldRadio    FieldKind = "radio"
	FieldRelation FieldKind = "relation"
	FieldPassword FieldKind = "password"
	FieldFile     FieldKind = "file"
	FieldCode     FieldKind = "code"
	FieldSearch   FieldKind = "search"
	FieldTags     FieldKind = "tags" // free words, comma separated
	FieldColor    FieldKind = "color"
)

// Option is one choice of a select, radio or multi-select.
type Option struct {
	Value string
	Label string
	Tone  Tone
	Hint  string
}

// Field is one control with its label, help, kept value and error.
type Field struct {
	Name     string
	Label    string
	Kind     FieldKind // default FieldText
	Value    string
	Values   []string // FieldMulti
	Options  []Option
	Help     string
	Error    string
	Required bool
	// Off shows the control read-only with the reason.
	Off string
	// Autocomplete is the HTML token ("email", "current-password", "one-time-code").
	Autocomplete string
	Placeholder  string // an example, never the label
	Max          int    // characters; the count appears near the limit
	Low, High    string // min and max of numbers and dates
	Step         string
	Rows         int // FieldLong, default 3
	// Currency and Currencies belong to FieldMoney; the second field is named
	// "{Name}_currency". One currency makes it plain text.
	Currency   string
	Currencies []string
	// Lookup answers GET ?q= with JSON [{"value","label","hint"}] for FieldRelation;
	// without script the select with Options is used, so give the likeliest ones.
	Lookup string
	// CreateURL lets the relation offer "Create 'Acme'".
	CreateURL string
	Accept    string   // FieldFile
	Quick     []Option // quick choices under dates: "Tomorrow", "Next Monday"
	Wide      bool     // both columns of the form grid
	Focus     bool     // focused on load; the first error wins over it
	HideLabel bool     // the label is only spoken (composer, inline edit)
	// FormID binds the control to a form elsewhere on the page.
	FormID string
	// Key makes ids unique when the same Name stands twice on a page.
	Key string
}

// FieldGroup is a titled part of a form.
type FieldGroup struct {
	Title  string
	Text   string
	Fields []Field
}

// Form is a POST (or GET) form. Errors lists problems that belong to no field;
// the summary on top is built from both.
type Form struct {
	ID        string
	Action    string
	Get       bool
	Groups    []FieldGroup
	Hidden    []Hidden
	Submit    string // names the result: "Add contact"
	Busy      string // "Adding…"
	Cancel    string // href; empty hides it
	Danger    bool
	Errors    []string
	Multipart bool
	// Draft keeps typed text on the device under this key until the form is sent.
	Draft  string
	Extra  []Action // beside Submit: "Save and add another" (use Post = formaction)
	Narrow bool     // one column
	// Foot is a quiet line beside the buttons.
	Foot string
}

// FormPage is a page that is one form.
type FormPage struct {
	Title string
	Intro string
	Back  *Link
	Form  Form
	// Aside is help or a preview at the right.
	Aside templ.Component
}

// Render draws the page body.
func (p FormPage) Render(ctx context.Context, w io.Writer) error { return formPage(p).Render(ctx, w) }

// Render draws the form alone, for panels and dialogs.
func (f Form) Render(ctx context.Context, w io.Writer) error { return form(f).Render(ctx, w) }

// Render draws label, control, help and error.
func (f Field) Render(ctx context.Context, w io.Writer) error { return field(f).Render(ctx, w) }

// FieldError is one line of the summary; ID is the control it leads to.
type FieldError struct {
	ID   string
	Text string
}

// problems lists field errors in order, then the loose ones.
func (f Form) problems() []FieldError {
	var out []FieldError
	for _, g := range f.Groups {
		for _, fl := range g.Fields {
			if fl.Error != "" {
				out = append(out, FieldError{ID: fl.id(), Text: fl.Label + ": " + fl.Error})
			}
		}
	}
	for _, e := range f.Errors {
		out = append(out, FieldError{Text: e})
	}
	return out
}

func (f Field) id() string {
	if f.Key != "" {
		return "f-" + f.Key + "-" + f.Name
	}
	return "f-" + f.Name
}

func (f Field) has(value string) bool {
	if f.Kind != FieldMulti {
		return f.Value == value
	}
	for _, v := range f.Values {
		if v == value {
			return true
		}
	}
	return false
}

// describedBy names the help and error lines for assistive technology.
func (f Field) describedBy() string {
	ids := ""
	if f.Help != "" || f.Off != "" {
		ids = f.id() + "-help"
	}
	if f.Error != "" {
		if ids != "" {
			ids += " "
		}
		ids += f.id() + "-error"
	}
	return ids
}

// firstError reports whether this control should get the focus on load.
func (f Form) focusID() string {
	focus := ""
	for _, g := range f.Groups {
		for _, fl := range g.Fields {
			if fl.Error != "" {
				return fl.id()
			}
			if fl.Focus && focus == "" {
				focus = fl.id()
			}
		}
	}
	return focus
}
