package leadshttp

import (
	"encoding/json"
	"errors"
	"mime"
	"net"
	"net/http"
	"strconv"
	"strings"

	"crm/internal/leads"
	"crm/internal/platform/errs"
	"crm/internal/platform/rest"
	"crm/internal/record"
)

// maxForm is the largest body a browser's form may have, in bytes.
const maxForm = 256 << 10

func (h *HTTP) form(w http.ResponseWriter, r *http.Request) error {
	view, err := h.leads.Form(r.Context(), rest.PathParam(r, "public_id"))
	if err != nil {
		return err
	}
	type field struct {
		Name     string          `json:"name"`
		Label    string          `json:"label"`
		Type     string          `json:"type"`
		Required bool            `json:"required"`
		Options  []record.Option `json:"options"`
	}
	fields := make([]field, len(view.Fields))
	for i, f := range view.Fields {
		fields[i] = field(f)
		if f.Options == nil {
			fields[i].Options = []record.Option{}
		}
	}
	allowReading(w, r)
	return rest.JSON(w, http.StatusOK, map[string]any{
		"public_id": view.PublicID, "title": view.Title, "intro": view.Intro, "consent_text": view.ConsentText, "trap_field": TrapField, "fields": fields,
	})
}

func (h *HTTP) submit(w http.ResponseWriter, r *http.Request) error {
	publicID := rest.PathParam(r, "public_id")
	sub, browser, err := ReadSubmission(r)
	if err != nil {
		return err
	}
	receipt, err := h.leads.Submit(r.Context(), publicID, *sub)
	if err != nil {
		return err
	}
	allowReading(w, r)
	if browser {
		http.Redirect(w, r, afterSubmit(publicID, receipt), http.StatusSeeOther)
		return nil
	}
	var redirect *string
	if receipt.RedirectURL != "" {
		redirect = &receipt.RedirectURL
	}
	return rest.JSON(w, http.StatusCreated, map[string]any{"received": true, "thanks": receipt.Thanks, "redirect_url": redirect})
}

// afterSubmit is where a browser goes next: the owner's page, or the hosted form
// with its thanks.
func afterSubmit(publicID string, receipt *leads.Receipt) string {
	if receipt.RedirectURL != "" {
		return receipt.RedirectURL
	}
	return "/f/" + publicID + "?sent=1"
}

// allowReading lets scripts of other sites read the answer. Nothing in it depends
// on who asks: cookies play no part on these routes.
func allowReading(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Origin") != "" {
		w.Header().Set("Access-Control-Allow-Origin", "*")
	}
}

// ReadSubmission reads a sent form, as JSON or as a browser encodes it; browser
// tells which. The hosted page uses it as well.
func ReadSubmission(r *http.Request) (sub *leads.Submission, browser bool, err error) {
	ct, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	browser = ct == "application/x-www-form-urlencoded" || ct == "multipart/form-data"
	var values map[string]string
	if browser {
		values, err = browserValues(r, ct)
	} else {
		values, err = jsonValues(r)
	}
	if err != nil {
		return nil, browser, err
	}
	return submission(r, values), browser, nil
}

func browserValues(r *http.Request, ct string) (map[string]string, error) {
	r.Body = http.MaxBytesReader(nil, r.Body, maxForm)
	parse := r.ParseForm
	if ct == "multipart/form-data" {
		parse = func() error { return r.ParseMultipartForm(maxForm) }
	}
	if err := parse(); err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return nil, errs.New(errs.TooLarge, "body_too_large", "A form may have at most 256 KiB.")
		}
		return nil, errs.Wrap(err, errs.Malformed, "not_a_form", "The form could not be read.")
	}
	values := map[string]string{}
	for name, list := range r.PostForm {
		values[name] = strings.Join(list, ", ") // several boxes of one choice
	}
	return values, nil
}

// jsonValues flattens the body: {"custom":{"tier":"gold"}} is custom.tier, and
// {"utm":{"source":"x"}} is utm_source.
func jsonValues(r *http.Request) (map[string]string, error) {
	body, err := rest.Object(r)
	if err != nil {
		return nil, err
	}
	values := map[string]string{}
	for name, v := range body {
		nested, ok := v.(map[string]any)
		if !ok {
			err = flatten(values, name, v)
		}
		for key, inner := range nested {
			switch name {
			case "custom":
				err = errors.Join(err, flatten(values, "custom."+key, inner))
			case "utm":
				err = errors.Join(err, flatten(values, "utm_"+key, inner))
			default:
				err = errs.Field(name, "wrong_type", "%s must be a text.", name)
			}
		}
		if err != nil {
			return nil, err
		}
	}
	return values, nil
}

func flatten(values map[string]string, name string, v any) error {
	switch v := v.(type) {
	case nil:
	case string:
		values[name] = v
	case bool:
		values[name] = strconv.FormatBool(v)
	case json.Number:
		values[name] = v.String()
	case []any:
		var parts []string
		for _, item := range v {
			s, ok := item.(string)
			if !ok {
				return errs.Field(name, "wrong_type", "%s must be a list of texts.", name)
			}
			parts = append(parts, s)
		}
		values[name] = strings.Join(parts, ", ")
	default:
		return errs.Field(name, "wrong_type", "%s must be a text.", name)
	}
	return nil
}

// submission sorts the flat values into the form's own and what is sent beside
// them.
func submission(r *http.Request, values map[string]string) *leads.Submission {
	sub := &leads.Submission{UTM: map[string]string{}, Values: values, Origin: foreignOrigin(r), Address: address(r)}
	take := func(name string) string {
		v := values[name]
		delete(values, name)
		return v
	}
	sub.Referrer, sub.LandingPage, sub.Honeypot = take("referrer"), take("landing_page"), take(TrapField)
	sub.Consent = agreed(take("consent"))
	for _, key := range []string{"source", "medium", "campaign", "term", "content"} {
		if v := take("utm_" + key); v != "" {
			sub.UTM[key] = v
		}
	}
	return sub
}

// agreed reads a ticked box; its value is whatever the page says.
func agreed(s string) bool {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "", "false", "0", "no", "off":
		return false
	}
	return true
}

// foreignOrigin is the site a browser sent the form from, "" for our own pages.
func foreignOrigin(r *http.Request) string {
	origin := r.Header.Get("Origin")
	_, host, _ := strings.Cut(origin, "://")
	if strings.EqualFold(host, r.Host) {
		return ""
	}
	return origin
}

func address(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
