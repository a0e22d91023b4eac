package activities

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	"crm/internal/platform/errs"
)

func TestFirstLine(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		"Called her\nand more": "Called her", "\n \r\n  Second \r\nthird": "Second", "": "", "\n\n": "",
		strings.Repeat("é", 130): strings.Repeat("é", 120) + "…",
	} {
		if got := firstLine(body); got != want {
			t.Errorf("firstLine(%q) = %q, want %q", body, got, want)
		}
	}
}

func TestReadLinks(t *testing.T) {
	t.Parallel()
	names := func(s string) string {
		return map[string]string{"contact": "contact", "contacts": "contact", "deal": "deal"}[s]
	}
	a, b := uuid.NewString(), uuid.NewString()
	link := func(object, id any) any { return map[string]any{"object": object, "id": id} }
	got, err := readLinks([]any{link("contacts", a), link("contact", a), link("deal", b)}, names)
	if err != nil || len(got) != 2 || got[0].Object != "contact" {
		t.Errorf("%v, %v", got, err)
	}
	if back := Links(storedLinks(got)); len(back) != 2 || back[1] != got[1] {
		t.Errorf("stored and read back: %v", back)
	}
	var many []any
	for range 21 {
		many = append(many, link("contact", uuid.NewString()))
	}
	for name, bad := range map[string]any{
		"no list": link("contact", a), "no object": []any{map[string]any{"id": a}}, "unknown object": []any{link("user", a)}, "no id": []any{link("contact", "1")},
		"number": []any{link("contact", 1)}, "more keys": []any{map[string]any{"object": "contact", "id": a, "x": 1}}, "texts": []any{a}, "too many": many,
	} {
		if _, err := readLinks(bad, names); errs.KindOf(err) != errs.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestReadAttendees(t *testing.T) {
	t.Parallel()
	got, err := readAttendees([]any{"Ada@Acme.com", map[string]any{"name": " Bob ", "email": nil}})
	if err != nil || got.([]any)[0].(map[string]any)["email"] != "ada@acme.com" || got.([]any)[1].(map[string]any)["name"] != "Bob" {
		t.Errorf("%v, %v", got, err)
	}
	for _, bad := range []any{"ada", []any{1}, []any{map[string]any{}}, []any{map[string]any{"email": "x"}}, []any{map[string]any{"role": "x"}}} {
		if _, err := readAttendees(bad); errs.KindOf(err) != errs.Invalid {
			t.Errorf("%v is taken: %v", bad, err)
		}
	}
}
