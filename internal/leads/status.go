package leads

import (
	"strings"

	"crm/internal/record"
)

// statusType is the status field for text from files and forms: it also
// understands what other systems, and plain yes/no outcomes, call a state. JSON
// from programs stays strict.
type statusType struct{ record.Type }

// ParseText implements record.Type.
func (t statusType) ParseText(f *record.Field, s string) (any, error) {
	if status, ok := StatusOf(s); ok {
		return status, nil
	}
	return t.Type.ParseText(f, s)
}

// StatusOf finds the state that a word of another system stands for, such as
// "yes", "Closed - Converted" or "unqualified".
func StatusOf(word string) (string, bool) {
	word = strings.NewReplacer("-", " ", "_", " ").Replace(strings.ToLower(word))
	status, ok := statusWords[strings.Join(strings.Fields(word), " ")]
	return status, ok
}

var statusWords = map[string]string{
	"yes": Converted, "y": Converted, "true": Converted, "1": Converted, "won": Converted, "converted": Converted, "closed won": Converted,
	"closed converted": Converted, "customer": Converted, "open deal": Converted, "subscribed": Converted,

	"no": Disqualified, "n": Disqualified, "false": Disqualified, "0": Disqualified, "lost": Disqualified, "dead": Disqualified,
	"disqualified": Disqualified, "unqualified": Disqualified, "not qualified": Disqualified, "closed lost": Disqualified,
	"closed not converted": Disqualified, "junk": Disqualified, "rejected": Disqualified, "not a fit": Disqualified,

	"new": New, "open": New, "open not contacted": New, "assigned": New, "not contacted": New, "unread": New,

	"working": Working, "contacted": Working, "working contacted": Working, "in process": Working, "in progress": Working,
	"attempted to contact": Working, "attempting": Working, "connected": Working, "engaged": Working,

	"nurturing": Nurturing, "nurture": Nurturing, "recycled": Nurturing, "bad timing": Nurturing, "later": Nurturing,

	"qualified": Qualified, "marketing qualified lead": Qualified, "sales qualified lead": Qualified, "mql": Qualified, "sql": Qualified,
}
