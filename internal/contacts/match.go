package contacts

import (
	"slices"
	"strings"

	"github.com/google/uuid"

	"crm/internal/record"
)

// How likely two records that share a key are the same, in percent. An address is
// one person's; a number may be a switchboard's, a name somebody else's too.
const (
	emailScore  = 95
	domainScore = 90
	nameScore   = 80
	phoneScore  = 70
)

// contactKeys match people by any of their addresses and numbers, and by name
// within one company.
func contactKeys(r *record.Record) []record.MatchKey {
	var out []record.MatchKey
	for _, v := range values(r, emails) {
		out = append(out, record.MatchKey{On: "email", Value: v, Score: emailScore})
	}
	for _, v := range values(r, phones) {
		if wholeNumber(v) {
			out = append(out, record.MatchKey{On: "phone", Value: v, Score: phoneScore})
		}
	}
	first, last := record.FoldWords(r.Text("first_name")), record.FoldWords(r.Text("last_name"))
	account, ok := r.Get("account_id").(uuid.UUID)
	if ok && first != "" && last != "" {
		out = append(out, record.MatchKey{On: "name", Value: first + " " + last + "@" + account.String(), Score: nameScore})
	}
	return out
}

// values are the single value of a channel and those of its list.
func values(r *record.Record, ch channel) []string {
	var out []string
	if one := r.Text(ch.one); one != "" {
		out = append(out, one)
	}
	for _, e := range kept(r.Get(ch.list)) {
		out = append(out, e.value)
	}
	return out
}

// wholeNumber tells a number in its international form from an extension or a note,
// which imports keep as typed.
func wholeNumber(s string) bool { return strings.HasPrefix(s, "+") && len(s) >= 8 }

// accountKeys match companies by domain and by name.
func accountKeys(r *record.Record) []record.MatchKey {
	return []record.MatchKey{
		{On: "domain", Value: r.Text("domain"), Score: domainScore},
		{On: "name", Value: companyName(r.Text("name")), Score: nameScore},
	}
}

// legalForms end the names of companies without telling one from another.
var legalForms = []string{"inc", "incorporated", "llc", "ltd", "limited", "corp", "corporation", "co", "gmbh", "ag", "kg", "se", "sa", "sas", "sarl", "bv", "nv", "ab", "oy", "as", "spa", "srl", "plc", "pty"}

// companyName is what people would take for the same name: "ACME, Inc." is Acme.
func companyName(name string) string {
	words := strings.Fields(record.FoldWords(name))
	for len(words) > 1 && slices.Contains(legalForms, words[len(words)-1]) {
		words = words[:len(words)-1]
	}
	return strings.Join(words, " ")
}
