package leads

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"crm/internal/platform/errs"
)

var moment = time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)

func TestPrepareStatus(t *testing.T) {
	t.Parallel()
	contact := uuid.New()
	tests := []struct {
		name   string
		old    *Lead
		lead   Lead
		origin origin
		code   string // of the refusal, "" = fine
		check  func(l Lead) bool
	}{
		{name: "a fresh one is new", lead: Lead{}, check: func(l Lead) bool { return l.Status == StatusNew && l.FirstResponseAt == nil }},
		{name: "the first response", old: &Lead{Status: "new"}, lead: Lead{Status: "working"}, check: func(l Lead) bool { return l.FirstResponseAt.Equal(moment) }},
		{
			name: "only the first", old: &Lead{Status: "new", FirstResponseAt: &time.Time{}}, lead: Lead{Status: "working", FirstResponseAt: &time.Time{}},
			check: func(l Lead) bool { return l.FirstResponseAt.IsZero() },
		},
		{name: "given up without a reason", old: &Lead{Status: "new"}, lead: Lead{Status: "disqualified"}, code: "required"},
		{name: "the reason taken away", old: &Lead{Status: "disqualified", DisqualifyReason: "x"}, lead: Lead{Status: "disqualified"}, code: "required"},
		{name: "given up by import", lead: Lead{Status: "disqualified"}, origin: origin{imported: true}, check: func(l Lead) bool { return l.DisqualifyReason == "imported" }},
		{name: "taken up again", old: &Lead{Status: "disqualified", DisqualifyReason: "x"}, lead: Lead{Status: "working", DisqualifyReason: "x"}, check: func(l Lead) bool { return l.DisqualifyReason == "" }},
		{name: "converted by hand", old: &Lead{Status: "new"}, lead: Lead{Status: "converted"}, code: "use_convert"},
		{name: "made converted", lead: Lead{Status: "converted"}, code: "use_convert"},
		{name: "converted by the act", old: &Lead{Status: "new"}, lead: Lead{Status: "converted"}, origin: origin{act: actConverted}},
		{name: "converted by import", lead: Lead{Status: "converted"}, origin: origin{imported: true}},
		{name: "a conversion undone by hand", old: &Lead{Status: "converted", ConvertedContactID: &contact}, lead: Lead{Status: "working", ConvertedContactID: &contact}, code: "use_unconvert"},
		{
			name: "an imported conversion corrected", old: &Lead{Status: "converted", ConvertedAt: &moment}, lead: Lead{Status: "working", ConvertedAt: &moment},
			check: func(l Lead) bool { return l.ConvertedAt == nil },
		},
	}
	for _, tt := range tests {
		tt.lead.LastName = "X"
		if tt.old != nil {
			tt.old.LastName = "X"
		}
		tt.origin.now = moment
		err := prepare(tt.old, &tt.lead, tt.origin)
		if code := codeOf(err); code != tt.code {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.code)
		}
		if tt.check != nil && !tt.check(tt.lead) {
			t.Errorf("%s: %+v", tt.name, tt.lead)
		}
	}
}

func codeOf(err error) string {
	if e := errs.As(err); e != nil && len(e.Fields) > 0 {
		return e.Fields[0].Code
	}
	return ""
}

func TestPrepareIdentity(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name      string
		old, lead Lead
		created   bool
		imported  bool
		refused   bool
	}{
		{name: "nothing", created: true, refused: true},
		{name: "a title is no name", created: true, lead: Lead{Title: "CEO"}, refused: true},
		{name: "a phone", created: true, lead: Lead{Phone: "+4930123"}},
		{name: "a site", created: true, lead: Lead{Website: "https://acme.com"}},
		{name: "nothing, imported", created: true, imported: true},
		{name: "nameless before and after", old: Lead{}, lead: Lead{Title: "CEO"}},
		{name: "made nameless", old: Lead{Email: "a@b.io"}, lead: Lead{}, refused: true},
	}
	for _, tt := range tests {
		old := &tt.old
		if tt.created {
			old = nil
		}
		err := prepare(old, &tt.lead, origin{imported: tt.imported, now: moment})
		if (err != nil) != tt.refused {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestStatusOf(t *testing.T) {
	t.Parallel()
	for word, want := range map[string]string{
		"yes": "converted", "NO": "disqualified", "True": "converted", "false": "disqualified", "won": "converted", "LOST": "disqualified", "1": "converted", "0": "disqualified",
		"Closed - Converted": "converted", "Open - Not Contacted": "new", "IN_PROGRESS": "working", "Unqualified": "disqualified", " mql ": "qualified", "perhaps": "",
	} {
		if got, _ := StatusOf(word); got != want {
			t.Errorf("StatusOf(%q) = %q, want %q", word, got, want)
		}
	}
}

func TestCompanyDomain(t *testing.T) {
	t.Parallel()
	for email, want := range map[string]string{"jane@acme.com": "acme.com", "jane@gmail.com": "", "x@GMX.de": "", "": "", "jane": ""} {
		if got := companyDomain(email); got != want {
			t.Errorf("companyDomain(%q) = %q, want %q", email, got, want)
		}
	}
}

func TestReadUTM(t *testing.T) {
	t.Parallel()
	if got, err := readUTM(map[string]any{"source": " ads ", "term": nil, "medium": ""}); err != nil || len(got.(map[string]any)) != 1 {
		t.Errorf("%v, %v", got, err)
	}
	for _, bad := range []any{"source=ads", map[string]any{"gclid": "1"}, map[string]any{"source": []any{}}, []any{}} {
		if _, err := readUTM(bad); errs.KindOf(err) != errs.Invalid {
			t.Errorf("%v is taken: %v", bad, err)
		}
	}
}

func TestHostOf(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"https://www.Acme.com/contact": "www.acme.com", "acme.com:8443": "acme.com", "http://127.0.0.1:9": "127.0.0.1", "null": "null", "": "", "a b": "", "https://u@evil.com": "",
	} {
		if got := hostOf(in); got != want {
			t.Errorf("hostOf(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestMemoryLimiter(t *testing.T) {
	t.Parallel()
	now := moment
	m := NewMemoryLimiter(3, time.Minute, func() time.Time { return now })
	for range 3 {
		if wait := m.Allow(t.Context(), "a"); wait != 0 {
			t.Fatalf("within the burst: %v", wait)
		}
	}
	if wait := m.Allow(t.Context(), "a"); wait != 20*time.Second {
		t.Errorf("over the burst: wait %v, want 20s", wait)
	}
	if wait := m.Allow(t.Context(), "b"); wait != 0 {
		t.Errorf("another key: %v", wait)
	}
	now = now.Add(20 * time.Second)
	if wait := m.Allow(t.Context(), "a"); wait != 0 {
		t.Errorf("after the wait: %v", wait)
	}
	for i := range maxBuckets + 10 {
		m.Allow(t.Context(), string(rune(i)))
	}
	if len(m.buckets) > maxBuckets {
		t.Errorf("%d buckets kept", len(m.buckets))
	}
}
