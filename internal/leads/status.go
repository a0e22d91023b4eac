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
	"yes": StatusConverted, "y": StatusConverted, "true": StatusConverted, "1": StatusConverted, "won": StatusConverted, "converted": StatusConverted, "closed won": StatusConverted,
	"closed converted": StatusConverted, "customer": StatusConverted, "open deal": StatusConverted, "subscribed": StatusConverted,

	"no": StatusDisqualified, "n": StatusDisqualified, "false": StatusDisqualified, "0": StatusDisqualified, "lost": StatusDisqualified, "dead": StatusDisqualified,
	"disqualified": StatusDisqualified, "unqualified": StatusDisqualified, "not qualified": StatusDisqualified, "closed lost": StatusDisqualified,
	"closed not converted": StatusDisqualified, "junk": StatusDisqualified, "rejected": StatusDisqualified, "not a fit": StatusDisqualified,

	"new": StatusNew, "open": StatusNew, "open not contacted": StatusNew, "assigned": StatusNew, "not contacted": StatusNew, "unread": StatusNew,

	"working": StatusWorking, "contacted": StatusWorking, "working contacted": StatusWorking, "in process": StatusWorking, "in progress": StatusWorking,
	"attempted to contact": StatusWorking, "attempting": StatusWorking, "connected": StatusWorking, "engaged": StatusWorking,

	"nurturing": StatusNurturing, "nurture": StatusNurturing, "recycled": StatusNurturing, "bad timing": StatusNurturing, "later": StatusNurturing,

	"qualified": StatusQualified, "marketing qualified lead": StatusQualified, "sales qualified lead": StatusQualified, "mql": StatusQualified, "sql": StatusQualified,
}
