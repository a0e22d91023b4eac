package messaging

import (
	"encoding/json"
	"maps"
	"net/mail"
	"slices"
	"strconv"
	"strings"

	"crm/internal/platform/egress"
	"crm/internal/platform/errs"
	wire "crm/internal/platform/mail"
)

// Types of providers.
const (
	TypeSMTP = "smtp"
	TypeHTTP = "http"
)

// setting is one key of a provider's settings. A secret is sealed and never given
// back; where marks the ones that say to whom secrets are sent.
type setting struct {
	name    string
	secret  bool
	where   bool
	numeric bool
	boolean bool
}

var settingsOf = map[string][]setting{
	TypeSMTP: {{name: "host", where: true}, {name: "port", numeric: true}, {name: "tls"}, {name: "username"}, {name: "password", secret: true}, {name: "from"}},
	TypeHTTP: {{name: "url", where: true}, {name: "header"}, {name: "secret", secret: true}, {name: "from"}, {name: "idempotent", boolean: true}},
}

// mergeSettings applies wanted to what is there: an absent key keeps its value,
// null clears it. plain and secrets are changed in place. A new server with the
// old password is refused: whoever may edit a provider could otherwise have the
// password sent to a server of their own.
func mergeSettings(typ string, plain map[string]any, secrets map[string]string, wanted map[string]any) error {
	var refused errs.Fields
	moved := false
	for _, key := range slices.Sorted(maps.Keys(wanted)) {
		i := slices.IndexFunc(settingsOf[typ], func(d setting) bool { return d.name == key })
		if i < 0 {
			refused.Add("settings."+key, "unknown_field", "A provider of type %s has no setting %q.", typ, key)
			continue
		}
		d := settingsOf[typ][i]
		v, ok := d.read(wanted[key])
		if !ok {
			refused.Add("settings."+key, "wrong_type", "%s must be %s.", key, d.want())
			continue
		}
		switch {
		case d.secret && v == nil:
			delete(secrets, key)
		case d.secret:
			secrets[key] = v.(string)
		default:
			moved = moved || d.where && plain[key] != nil && plain[key] != v
			put(plain, key, v)
		}
	}
	if moved {
		for key := range secrets {
			if _, again := wanted[key]; !again {
				refused.Add("settings."+key, "enter_again", "The server changed. Enter the %s again, so that it is not sent to a place it was not meant for.", key)
			}
		}
	}
	return refused.Err()
}

func put(m map[string]any, key string, v any) {
	if v == nil {
		delete(m, key)
		return
	}
	m[key] = v
}

func (d setting) want() string {
	switch {
	case d.numeric:
		return "a number"
	case d.boolean:
		return "true or false"
	}
	return "a text of at most 2,000 characters"
}

// read brings a JSON value to the type of the setting; nil and "" clear it.
func (d setting) read(raw any) (any, bool) {
	switch v := raw.(type) {
	case nil:
		return nil, true
	case string:
		if d.numeric {
			n, err := strconv.Atoi(strings.TrimSpace(v))
			return float64(n), err == nil
		}
		if v == "" {
			return nil, true
		}
		if !d.secret {
			v = strings.TrimSpace(v)
		}
		return v, !d.boolean && len(v) <= 2000 && !strings.ContainsAny(v, "\r\n\x00")
	case json.Number:
		n, err := v.Int64()
		return float64(n), err == nil && d.numeric
	case float64:
		return v, d.numeric
	case int:
		return float64(v), d.numeric
	case bool:
		return v, d.boolean
	}
	return nil, false
}

// smtpSettings are the settings of an SMTP provider in their types.
func smtpSettings(plain map[string]any, secrets map[string]string) (wire.Settings, wire.Address, error) {
	text := func(key string) string { s, _ := plain[key].(string); return s }
	set := wire.Settings{Host: text("host"), TLS: wire.TLSMode(text("tls")), Username: text("username"), Password: secrets["password"]}
	if set.TLS == "" {
		set.TLS = wire.TLSStart
	}
	port, _ := plain["port"].(float64)
	if set.Port = int(port); set.Port == 0 {
		set.Port = map[wire.TLSMode]int{wire.TLSNone: 25, wire.TLSImplicit: 465}[set.TLS]
		if set.Port == 0 {
			set.Port = 587
		}
	}
	from, err := fromAddress(text("from"))
	set.From = from.Email
	return set, from, err
}

// fromAddress reads "name@example.com" or "Name <name@example.com>".
func fromAddress(s string) (wire.Address, error) {
	if s == "" {
		return wire.Address{}, errs.Field("settings.from", "required", "Enter the sender's address, like Support <support@company.com>.")
	}
	a, err := mail.ParseAddress(s)
	if err == nil {
		a.Address, err = wire.NormalAddress(a.Address)
	}
	if err != nil {
		return wire.Address{}, errs.Field("settings.from", "not_an_email", "Enter the sender's address, like Support <support@company.com>.")
	}
	return wire.Address{Name: a.Name, Email: a.Address}, nil
}

// checkSettings refuses what can be seen to be wrong without calling anybody.
func checkSettings(typ string, plain map[string]any, secrets map[string]string, guard *egress.Egress) error {
	if typ == TypeHTTP {
		raw, _ := plain["url"].(string)
		if _, err := guard.CheckURL(raw); err != nil {
			return errs.Field("settings.url", "bad_url", "%s.", sentenceOf(err))
		}
		if name, _ := plain["header"].(string); strings.Trim(strings.ToLower(name), "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return errs.Field("settings.header", "invalid", "A header's name has letters, digits and dashes, like X-Api-Key.")
		}
		if from, _ := plain["from"].(string); from != "" {
			_, err := fromAddress(from)
			return err
		}
		return nil
	}
	set, _, err := smtpSettings(plain, secrets)
	if err != nil {
		return err
	}
	set.Dial = guard.DialContext
	_, err = wire.NewSender(set)
	if err != nil {
		return errs.Field("settings."+blame(err), "invalid", "%s.", sentenceOf(err))
	}
	return nil
}

// blame finds the setting a complaint of the mail package is about.
func blame(err error) string {
	for _, key := range []string{"port", "tls", "from"} {
		if strings.Contains(err.Error(), ": the "+key) || strings.Contains(err.Error(), ": "+key) {
			return key
		}
	}
	return "host"
}

// sentenceOf makes an error text fit to be shown: a capital, no package name, no
// final stop.
func sentenceOf(err error) string {
	s := strings.TrimSuffix(strings.TrimPrefix(err.Error(), "smtp settings: "), ".")
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
