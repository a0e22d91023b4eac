package messaging

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"crm/internal/platform/errs"
	"crm/internal/platform/liquid"
	"crm/internal/record"
)

// Channels a message can take.
const (
	Email = "email"
	SMS   = "sms"
	Chat  = "chat"
)

// Template is text with places for names and figures. Body is HTML, BodyText
// plain; only e-mail has a subject and HTML.
type Template struct {
	record.Base
	Name     string `crm:"name,text,required,title,search"`
	Channel  string `crm:"channel,select,required,options=email|sms|chat,default=email"`
	Subject  string `crm:"subject,text,search" help:"May hold places such as {{ contact.first_name }}."`
	Body     string `crm:"body,long_text" label:"Body (HTML)"`
	BodyText string `crm:"body_text,long_text" label:"Body (plain text)" help:"Made from the HTML when left out."`
}

func (s *Service) registerTemplates() (err error) {
	s.Templates, err = record.Register[Template](s.k, record.Definition{
		Name: "template", Plural: "templates", Label: "Template", LabelPlural: "Templates", System: true,
		ListFields: []string{"name", "channel", "subject", "updated_at"},
	}, record.HooksFor[Template]{Before: s.beforeTemplates})
	return err
}

// beforeTemplates compiles what changed, so that a mistake is found by whoever
// makes it and not by the first message.
func (s *Service) beforeTemplates(ctx context.Context, _ pgx.Tx, changes []record.TypedChange[Template]) error {
	if record.Undoing(ctx) {
		return nil
	}
	for _, c := range changes {
		texts := c.New.source()
		if c.Old != nil && c.Old.source() == texts {
			continue
		}
		if err := texts.complete(); err != nil {
			return err
		}
		if _, err := s.compile(ctx, texts); err != nil {
			return err
		}
	}
	return nil
}

func (t *Template) source() source {
	return source{channel: t.Channel, subject: t.Subject, html: t.Body, text: t.BodyText}
}

// source is the text of a message before it is filled in.
type source struct{ channel, subject, html, text string }

// complete names what a message of this channel cannot do without.
func (src source) complete() error {
	var refused errs.Fields
	if src.channel == Email && src.subject == "" {
		refused.Add("subject", "required", "An e-mail needs a subject.")
	}
	if src.html == "" && src.text == "" {
		refused.Add("body", "required", "A message needs a body.")
	}
	if src.channel != Email && src.text == "" && src.html != "" {
		refused.Add("body_text", "required", "This channel has plain text only. Write it into body_text.")
	}
	return refused.Err()
}

// compiled is a source ready to be filled in; a missing part is nil.
type compiled struct {
	subject, html, text *liquid.Template
}

// compile checks all parts at once and reports each mistake at its field.
func (s *Service) compile(ctx context.Context, src source) (*compiled, error) {
	var c compiled
	var refused errs.Fields
	for _, part := range []struct {
		field, text string
		kind        liquid.Kind
		dst         **liquid.Template
	}{{"subject", src.subject, liquid.Subject, &c.subject}, {"body", src.html, liquid.HTML, &c.html}, {"body_text", src.text, liquid.Text, &c.text}} {
		if part.text == "" {
			continue
		}
		t, err := liquid.Compile(part.text, part.kind)
		if err != nil {
			refused.Add(part.field, "bad_template", "%s", authorsError(err))
			continue
		}
		if err := s.checkNames(ctx, part.field, t.Variables(), &refused); err != nil {
			return nil, err
		}
		*part.dst = t
	}
	return &c, refused.Err()
}

// authorsError begins with a capital, like every sentence people read.
func authorsError(err error) string {
	var le *liquid.Error
	text := err.Error()
	if errors.As(err, &le) && le.Line > 0 {
		return "L" + strings.TrimPrefix(text, "l") + "."
	}
	return strings.TrimSuffix(text, ".") + "."
}

// variables lists what all parts read, each once.
func (c *compiled) variables() []string {
	var out []string
	for _, t := range []*liquid.Template{c.subject, c.html, c.text} {
		if t != nil {
			out = append(out, t.Variables()...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// rendered is the finished text of one message.
type rendered struct{ subject, html, text string }

// render fills in the values. A message with HTML always gets a plain part too:
// some people read nothing else, and some filters distrust mail without it.
func (c *compiled) render(vars map[string]any) (*rendered, error) {
	var out rendered
	var refused errs.Fields
	for _, part := range []struct {
		field string
		t     *liquid.Template
		dst   *string
	}{{"subject", c.subject, &out.subject}, {"body", c.html, &out.html}, {"body_text", c.text, &out.text}} {
		if part.t == nil {
			continue
		}
		text, err := part.t.Render(vars)
		if err != nil {
			refused.Add(part.field, "bad_template", "%s", authorsError(err))
		}
		*part.dst = text
	}
	if out.text == "" {
		out.text = plainText(out.html)
	}
	return &out, refused.Err()
}
