package messaging

import (
	"context"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/platform/id"
	"crm/internal/record"
)

// Draft is what a caller wants sent. The address is To or comes from the contact
// or lead. The text is a template's or Subject with Body (HTML, or plain text when
// it holds no markup) or BodyText. Empty Channel, Class and SendAt mean e-mail,
// transactional, now.
type Draft struct {
	Channel    string
	Class      string
	To         string
	ContactID  *uuid.UUID
	LeadID     *uuid.UUID
	TemplateID *uuid.UUID
	Subject    string
	Body       string
	BodyText   string
	Variables  map[string]any
	SendAt     *time.Time
}

// Limits of a message's text, in bytes and characters.
const (
	maxBody    = 512 << 10
	maxSubject = 500
)

// composition is a draft with everything found and filled in.
type composition struct {
	m        *Message
	heldBack string // why it must not be sent, as a sentence
	link     bool   // carries an unsubscribe link
}

// Send makes a message and queues it, or schedules it when SendAt lies ahead. A
// message to a suppressed address is made too, and ends as suppressed at once.
func (s *Service) Send(ctx context.Context, d Draft) (*Message, error) {
	if _, _, err := auth.Require(ctx, "message", auth.Create); err != nil {
		return nil, err
	}
	c, err := s.compose(ctx, d)
	if err != nil {
		return nil, err
	}
	var out *Message
	err = s.k.DB.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		var err error
		out, err = s.insert(ctx, tx, c)
		return err
	})
	return out, err
}

// Preview is the finished text of a draft, without sending it.
func (s *Service) Preview(ctx context.Context, d Draft) (*Message, error) {
	c, err := s.compose(ctx, d)
	if err != nil {
		return nil, err
	}
	return c.m, nil
}

func (s *Service) compose(ctx context.Context, d Draft) (*composition, error) {
	if err := d.complete(); err != nil {
		return nil, err
	}
	p, err := s.recipient(ctx, d)
	if err != nil {
		return nil, err
	}
	m := &Message{Channel: d.Channel, Class: d.Class, ContactID: d.ContactID, LeadID: d.LeadID, TemplateID: d.TemplateID, SendAt: d.SendAt}
	m.ID = id.New()
	if m.ToAddress, err = d.address(p); err != nil {
		return nil, err
	}
	if len(d.Variables) > 0 {
		m.Variables = d.Variables
	}
	c := &composition{m: m}
	if err := s.write(ctx, c, d, p); err != nil {
		return nil, err
	}
	if a := auth.From(ctx); a.Kind != auth.User && p != nil {
		m.OwnerID, m.TeamID = idOf(p.rec, "owner_id"), idOf(p.rec, "team_id")
	}
	if p != nil && p.leaveAlone && d.Class == Marketing {
		c.heldBack = "This person asked not to be contacted."
	}
	return c, nil
}

func idOf(rec *record.Record, field string) *uuid.UUID {
	if u, ok := rec.Get(field).(uuid.UUID); ok {
		return &u
	}
	return nil
}

// leaveAlone reports whether the person asked for it. It takes the whole record: a
// wish holds also where the sender's role does not show it.
func leaveAlone(rec *record.Record) bool {
	no, _ := rec.Get("do_not_contact").(bool)
	return no
}

// complete fills in the defaults and refuses what contradicts itself.
func (d *Draft) complete() error {
	var refused errs.Fields
	if d.Channel == "" {
		d.Channel = Email
	}
	if d.Class == "" {
		d.Class = Transactional
	}
	if d.Channel != Email && d.Channel != SMS && d.Channel != Chat {
		refused.Add("channel", "not_an_option", "Channel is email, sms or chat.")
	}
	if d.Class != Transactional && d.Class != Marketing {
		refused.Add("class", "not_an_option", "Class is transactional or marketing.")
	}
	if d.To == "" && d.ContactID == nil && d.LeadID == nil {
		refused.Add("to", "required", "Say to whom: to, contact_id or lead_id.")
	}
	if d.ContactID != nil && d.LeadID != nil {
		refused.Add("lead_id", "conflict", "Give a contact or a lead, not both.")
	}
	if d.TemplateID != nil && (d.Subject != "" || d.Body != "" || d.BodyText != "") {
		refused.Add("template_id", "conflict", "Give a template or a text of your own, not both.")
	}
	if len(d.Body) > maxBody || len(d.BodyText) > maxBody {
		refused.Add("body", "too_long", "A body may have at most %d KiB.", maxBody>>10)
	}
	if d.SendAt != nil {
		at := d.SendAt.UTC().Truncate(time.Microsecond)
		d.SendAt = &at
	}
	if err := checkGiven(d.Variables); err != nil {
		refused = append(refused, errs.As(err).Fields...)
	}
	return refused.Err()
}

// recipient loads the contact or lead; nil for a bare address.
func (s *Service) recipient(ctx context.Context, d Draft) (*person, error) {
	object, field, ref := "contact", "contact_id", d.ContactID
	if d.LeadID != nil {
		object, field, ref = "lead", "lead_id", d.LeadID
	}
	if ref == nil {
		return nil, nil
	}
	o, ok := s.k.Object(object)
	if !ok {
		return nil, errs.Field(field, "unknown_reference", "There are no %ss here.", object)
	}
	whole, err := o.Get(record.Whole(ctx), *ref)
	if hidden(err) || err == nil && whole.Deleted() {
		return nil, errs.Field(field, "unknown_reference", "There is no such %s, or you may not see it.", object)
	}
	if err != nil {
		return nil, err
	}
	def, err := s.k.Definition(ctx, object)
	if err != nil {
		return nil, err
	}
	return &person{object: object, rec: whole.Under(def), leaveAlone: leaveAlone(whole)}, nil
}

// address is where the message goes: what was typed wins over what is on file.
func (d *Draft) address(p *person) (string, error) {
	if d.To != "" {
		return normalAddress(d.Channel, d.To, "to")
	}
	field := p.object + "_id"
	source := map[string]string{Email: "email", SMS: "phone"}[d.Channel]
	if source == "" {
		return "", errs.Field("to", "required", "Say in to whom this chat message goes.")
	}
	on := p.rec.Text(source)
	if on == "" {
		what := map[string]string{"email": "e-mail address", "phone": "phone number"}[source]
		return "", errs.Field(field, "no_address", "%s has no %s. Add one, or give to.", p.rec.Title(), what)
	}
	return normalAddress(d.Channel, on, field)
}

// linkMark stands in stored texts where the token of the unsubscribe link goes: a
// token readable in the message would make its hash in the database pointless.
const linkMark = "/u/this-recipient"

// write fills in the text.
func (s *Service) write(ctx context.Context, c *composition, d Draft, p *person) error {
	src, err := s.sourceOf(ctx, d)
	if err != nil {
		return err
	}
	t, err := s.compile(ctx, src)
	if err != nil {
		return err
	}
	names := t.variables()
	if err := missing(names, d.Variables); err != nil {
		return err
	}
	vars, err := s.fill(ctx, p, d.Variables, names, s.baseURL+linkMark)
	if err != nil {
		return err
	}
	out, err := t.render(vars)
	if err != nil {
		return err
	}
	c.link = d.Class == Marketing || uses(names, "unsubscribe_url")
	if d.Class == Marketing && d.Channel == Email && !uses(names, "unsubscribe_url") {
		out.addFooter(s.baseURL + linkMark)
	}
	c.m.Subject, c.m.BodyHTML, c.m.BodyText = record.CleanText(out.subject), record.CleanText(out.html), record.CleanText(out.text)
	return c.m.checkSize()
}

func (m *Message) checkSize() error {
	var refused errs.Fields
	if m.Channel == Email && strings.TrimSpace(m.Subject) == "" {
		refused.Add("subject", "required", "With these values the subject is empty.")
	}
	if utf8.RuneCountInString(m.Subject) > maxSubject {
		refused.Add("subject", "too_long", "With these values the subject has more than %d characters.", maxSubject)
	}
	if m.BodyHTML == "" && m.BodyText == "" {
		refused.Add("body", "required", "With these values the message is empty.")
	}
	if len(m.BodyHTML) > maxBody || len(m.BodyText) > maxBody {
		refused.Add("body", "too_long", "With these values the message has more than %d KiB.", maxBody>>10)
	}
	return refused.Err()
}

// addFooter gives marketing without a link of its own a visible way out.
func (out *rendered) addFooter(url string) {
	if out.html != "" {
		link := `<p style="font-size:12px;color:#666666"><a href="` + url + `">Unsubscribe</a></p>`
		if i := strings.LastIndex(strings.ToLower(out.html), "</body>"); i >= 0 {
			out.html = out.html[:i] + link + out.html[i:]
		} else {
			out.html += link
		}
	}
	out.text += "\n\n--\nUnsubscribe: " + url + "\n"
}

// sourceOf is the text to fill in: the template's, or the draft's own.
func (s *Service) sourceOf(ctx context.Context, d Draft) (source, error) {
	if d.TemplateID == nil {
		src := source{channel: d.Channel, subject: d.Subject, html: d.Body, text: d.BodyText}
		if src.text == "" && (!hasMarkup(d.Body) || d.Channel != Email) {
			src.html, src.text = "", d.Body
		}
		return src, src.complete()
	}
	t, err := s.Templates.Get(ctx, *d.TemplateID)
	if hidden(err) || err == nil && t.DeletedAt != nil {
		return source{}, errs.Field("template_id", "unknown_reference", "There is no such template, or you may not see it.")
	}
	if err != nil {
		return source{}, err
	}
	if t.Channel != d.Channel {
		return source{}, errs.Field("template_id", "other_channel", "This template is for %s. Choose another, or set channel.", t.Channel)
	}
	src := t.source()
	if d.Channel != Email {
		src.subject, src.html = "", ""
	}
	return src, src.complete()
}
