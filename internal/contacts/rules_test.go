package contacts

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"crm/internal/platform/errs"
)

func TestDomain(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"acme.com": "acme.com", " https://www.Acme.com/about?x=1 ": "acme.com", "jane@Mail.acme.co.uk": "mail.acme.co.uk",
		"acme.com:8080": "acme.com", "ACME.com.": "acme.com", "http://user:pw@acme.com/": "acme.com", "müller.de": "müller.de",
		"": "", "acme": "", "localhost": "", "192.168.0.1": "", "a b.com": "", "-acme.com": "", "acme..com": "", "www.": "",
		"javascript:alert(1)": "", "https://": "", "@": "", "x@": "",
	} {
		if got := Domain(in); got != want {
			t.Errorf("Domain(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestPrepareAccountDomain(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		old     *Account
		account Account
		want    string
	}{
		{"normalised", nil, Account{Domain: "https://www.ACME.com/x"}, "acme.com"},
		{"from the website", nil, Account{Website: "https://www.acme.com/"}, "acme.com"},
		{"not from a page at a shared host", nil, Account{Website: "https://facebook.com/acme"}, ""},
		{"the one given wins", nil, Account{Domain: "acme.com", Website: "https://acme.de"}, "acme.com"},
		{"cleared stays cleared", &Account{Domain: "acme.com", Website: "https://acme.com"}, Account{Website: "https://acme.com"}, ""},
		{"a new website fills an empty one", &Account{Website: "https://old.com"}, Account{Website: "https://new.com"}, "new.com"},
	}
	for _, tt := range tests {
		if err := prepareAccount(tt.old, &tt.account); err != nil || tt.account.Domain != tt.want {
			t.Errorf("%s: domain %q, %v; want %q", tt.name, tt.account.Domain, err, tt.want)
		}
	}
	if err := prepareAccount(nil, &Account{Domain: "not a domain"}); errs.KindOf(err) != errs.Invalid {
		t.Errorf("no domain at all: %v", err)
	}
}

func list(entries ...any) any { return entries }

func item(value, label string, primary bool) any {
	return map[string]any{"value": value, "label": label, "primary": primary}
}

func TestChannelInStep(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name           string
		oldOne         string
		oldList        any
		one            string
		list           any
		wantOne        string
		wantList       any
		wantFieldError string
	}{
		{name: "a new single value starts the list", one: "a@x.io", wantOne: "a@x.io", wantList: list(item("a@x.io", "work", true))},
		{name: "a new list gives the single value", list: list(item("a@x.io", "home", false), item("b@x.io", "", true)), wantOne: "b@x.io", wantList: list(item("a@x.io", "home", false), item("b@x.io", "work", true))},
		{name: "nothing marked: the first", list: list("A@X.io", "b@x.io"), wantOne: "a@x.io", wantList: list(item("a@x.io", "work", true), item("b@x.io", "work", false))},
		{name: "two marked: the first", list: list(item("a@x.io", "work", true), item("b@x.io", "work", true)), wantOne: "a@x.io", wantList: list(item("a@x.io", "work", true), item("b@x.io", "work", false))},
		{name: "twice the same", list: list("a@x.io", "A@x.io"), wantOne: "a@x.io", wantList: list(item("a@x.io", "work", true))},
		{name: "both: the single value is primary", one: "c@x.io", list: list("a@x.io"), wantOne: "c@x.io", wantList: list(item("c@x.io", "work", true), item("a@x.io", "work", false))},
		{
			name: "a changed single value replaces the primary", oldOne: "a@x.io", oldList: list(item("a@x.io", "home", true), item("b@x.io", "work", false)), one: "n@x.io",
			list: list(item("a@x.io", "home", true), item("b@x.io", "work", false)), wantOne: "n@x.io", wantList: list(item("n@x.io", "home", true), item("b@x.io", "work", false)),
		},
		{
			name: "one of the others becomes primary", oldOne: "a@x.io", oldList: list(item("a@x.io", "home", true), item("b@x.io", "work", false)), one: "b@x.io",
			list: list(item("a@x.io", "home", true), item("b@x.io", "work", false)), wantOne: "b@x.io", wantList: list(item("a@x.io", "home", false), item("b@x.io", "work", true)),
		},
		{
			name: "a cleared single value leaves the others", oldOne: "a@x.io", oldList: list(item("a@x.io", "home", true), item("b@x.io", "work", false)),
			list: list(item("a@x.io", "home", true), item("b@x.io", "work", false)), wantOne: "", wantList: list(item("b@x.io", "work", false)),
		},
		{name: "a cleared list clears both", oldOne: "a@x.io", oldList: list(item("a@x.io", "home", true)), one: "a@x.io", wantOne: "", wantList: nil},
		{name: "no list", list: map[string]any{"value": "a@x.io"}, wantFieldError: "wrong_type"},
		{name: "a strange key", list: list(map[string]any{"value": "a@x.io", "admin": true}), wantFieldError: "wrong_type"},
		{name: "no address", list: list("nobody"), wantFieldError: "not_an_email"},
	}
	for _, tt := range tests {
		one, got, err := emails.inStep(tt.oldOne, tt.oldList, tt.one, tt.list, false)
		if tt.wantFieldError != "" {
			if e := errs.As(err); e == nil || e.Fields[0].Code != tt.wantFieldError {
				t.Errorf("%s: %v, want %s", tt.name, err, tt.wantFieldError)
			}
			continue
		}
		if err != nil || one != tt.wantOne {
			t.Errorf("%s: %q, %v; want %q", tt.name, one, err, tt.wantOne)
		}
		if diff := cmp.Diff(tt.wantList, got); diff != "" {
			t.Errorf("%s: list (-want +got)\n%s", tt.name, diff)
		}
	}
}

func TestPhonesOfOtherSystemsAreKept(t *testing.T) {
	t.Parallel()
	odd := list("ext. 42 only")
	if _, _, err := phones.inStep("", nil, "", odd, false); errs.KindOf(err) != errs.Invalid {
		t.Errorf("by API: %v", err)
	}
	if one, _, err := phones.inStep("", nil, "", odd, true); err != nil || one != "ext. 42 only" {
		t.Errorf("by import: %q, %v", one, err)
	}
}
