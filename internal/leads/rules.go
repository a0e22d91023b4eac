package leads

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"crm/internal/platform/errs"
	"crm/internal/record"
)

// Words of this context's acts in the journal.
const (
	actConverted    = "converted"
	actDisqualified = "disqualified"
	actUnconverted  = "unconverted"
)

// reasonImported stands where another system did not say why.
const reasonImported = "imported"

// origin tells a rule how a change came about.
type origin struct {
	act      string // the change's word in the journal
	imported bool
	now      time.Time
}

// prepare derives what follows from a change of a lead and refuses what may not
// be. old is nil for a new lead.
func prepare(old, lead *Lead, o origin) error {
	if lead.DeletedAt != nil {
		return nil
	}
	if lead.Status == "" {
		lead.Status = StatusNew
	}
	if err := identify(old, lead, o); err != nil {
		return err
	}
	if err := enterStatus(old, lead, o); err != nil {
		return err
	}
	if old != nil && record.Same(old.UTM, lead.UTM) {
		return nil
	}
	utm, err := readUTM(lead.UTM)
	lead.UTM = utm
	return err
}

// identify asks for something to know the lead by, once: a nameless lead from an
// import may be worked on without being named first.
func identify(old, lead *Lead, o origin) error {
	if o.imported || lead.identified() || (old != nil && !old.identified()) {
		return nil
	}
	return errs.Field("last_name", "required", "A lead needs a name, an e-mail address, a phone number or a company.")
}

// enterStatus guards the ways into and out of a state.
func enterStatus(old, lead *Lead, o origin) error {
	was := ""
	if old != nil {
		was = old.Status
	}
	if lead.Status != was {
		if err := mayEnter(old, lead, o); err != nil {
			return err
		}
		if was == StatusNew && lead.FirstResponseAt == nil {
			lead.FirstResponseAt = &o.now
		}
		if was == StatusDisqualified {
			lead.DisqualifyReason = ""
		}
		if was == StatusConverted {
			lead.ConvertedAt = nil
		}
	}
	return needReason(old, lead, o)
}

func mayEnter(old, lead *Lead, o origin) error {
	if lead.Status == StatusConverted && o.act != actConverted && !o.imported {
		return errs.Field("status", "use_convert", "A lead becomes converted by the act itself; use convert (POST /leads/{id}/convert).")
	}
	if old != nil && old.Status == StatusConverted && old.hasRecords() {
		return errs.Field("status", "use_unconvert", "This lead was converted; use unconvert (POST /leads/{id}/unconvert) to take that back.")
	}
	return nil
}

// needReason asks why a lead is given up, when that happens or the reason is
// taken away.
func needReason(old, lead *Lead, o origin) error {
	if lead.Status != StatusDisqualified || lead.DisqualifyReason != "" {
		return nil
	}
	if o.imported {
		lead.DisqualifyReason = reasonImported
		return nil
	}
	if old != nil && old.Status == StatusDisqualified && old.DisqualifyReason == "" {
		return nil
	}
	return errs.Field("disqualify_reason", "required", "Say why this lead is not a fit, so that the reasons can be counted.")
}

var utmKeys = []string{"source", "medium", "campaign", "term", "content"}

const maxUTM = 500 // characters of one value

// readUTM checks the campaign marks of a visit: five texts at most.
func readUTM(raw any) (any, error) {
	if raw == nil {
		return nil, nil
	}
	in, ok := raw.(map[string]any)
	if !ok {
		return nil, errUTM()
	}
	out := map[string]any{}
	for key, v := range in {
		s, ok := v.(string)
		if !slices.Contains(utmKeys, key) || (v != nil && !ok) || utf8.RuneCountInString(s) > maxUTM {
			return nil, errUTM()
		}
		if s = strings.TrimSpace(s); s != "" {
			out[key] = s
		}
	}
	if len(out) == 0 {
		return nil, nil
	}
	return out, nil
}

func errUTM() error {
	return errs.Field("utm", "wrong_type", "utm holds source, medium, campaign, term and content, each a text of at most %d characters.", maxUTM)
}
