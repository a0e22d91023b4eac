package leads

import (
	"strings"

	"crm/internal/record"
)

// leadKeys match leads by address and number. A form that somebody fills in twice
// still makes two leads; that they belong together is then for people to see.
func leadKeys(r *record.Record) []record.MatchKey {
	out := []record.MatchKey{{On: "email", Value: r.Text("email"), Score: 95}}
	if phone := r.Text("phone"); strings.HasPrefix(phone, "+") && len(phone) >= 8 {
		out = append(out, record.MatchKey{On: "phone", Value: phone, Score: 70})
	}
	return out
}
