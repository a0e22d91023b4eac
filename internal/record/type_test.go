package record_test

import (
	"encoding/json"
	"strings"
	"testing"

	"crm/internal/record"
)

// TestEveryTypeReadsAndWrites: JSON in, JSON out, text out, and the text read back is
// the same value.
func TestEveryTypeReadsAndWrites(t *testing.T) {
	t.Parallel()
	options := []record.Option{{Value: "tea", Label: "Black tea"}, {Value: "rum", Label: "Rum"}}
	for _, test := range []struct{ typ, in, out, text string }{
		{"text", `" a\nb "`, `"a b"`, "a b"},
		{"long_text", `"a\nb"`, `"a\nb"`, "a\nb"},
		{"rich_text", `"<p onclick=x>Hi <b>you</b><script>alert(1)</script></p>"`, `"\u003cp\u003eHi \u003cb\u003eyou\u003c/b\u003e\u003c/p\u003e"`, "<p>Hi <b>you</b></p>"},
		{"rich_text", `"<p> </p>"`, "", ""},
		{"integer", `-12`, `-12`, "-12"},
		{"integer", `1.5`, "refused", ""},
		{"integer", `"1"`, "refused", ""},
		{"decimal", `0.1`, `0.1`, "0.1"},
		{"percent", `12.5`, `12.5`, "12.5"},
		{"rating", `5`, `5`, "5"},
		{"rating", `6`, "refused", ""},
		{"rating", `0`, "refused", ""},
		{"duration", `90`, `90`, "PT1H30M"},
		{"duration", `"PT1H30M"`, `90`, "PT1H30M"},
		{"duration", `"1:30"`, `90`, "PT1H30M"},
		{"duration", `"1h 30m"`, `90`, "PT1H30M"},
		{"duration", `"2 days"`, `2880`, "PT48H"},
		{"duration", `"P1W"`, `10080`, "PT168H"},
		{"duration", `-30`, `-30`, "-PT30M"},
		{"duration", `"soon"`, "refused", ""},
		{"duration", `""`, "refused", ""},
		{"duration", `999999999999`, "refused", ""},
		{"money", `{"amount":"1234.5","currency":"EUR"}`, `{"amount":"1234.50","currency":"EUR"}`, "1234.50 EUR"},
		{"money", `{"amount":"1.005","currency":"EUR"}`, "refused", ""},
		{"boolean", `true`, `true`, "true"},
		{"boolean", `"yes"`, "refused", ""},
		{"date", `"2026-11-21"`, `"2026-11-21"`, "2026-11-21"},
		{"date", `"21.11.2026"`, "refused", ""},
		{"datetime", `"2026-11-21T09:00:00+01:00"`, `"2026-11-21T08:00:00Z"`, "2026-11-21T08:00:00Z"},
		{"select", `"tea"`, `"tea"`, "tea"},
		{"select", `"Black Tea"`, `"tea"`, "tea"},
		{"select", `"gin"`, "refused", ""},
		{"list", `["rum","tea","tea"]`, `["rum","tea"]`, "rum, tea"},
		{"list", `["gin"]`, "refused", ""},
		{"list", `"tea"`, "refused", ""},
		{"email", `"Ada@Example.COM"`, `"ada@example.com"`, "ada@example.com"},
		{"email", `"ada"`, "refused", ""},
		{"phone", `"+49 30 1234567"`, `"+49301234567"`, "+49301234567"},
		{"phone", `"none"`, "refused", ""},
		{"url", `"company.com"`, `"https://company.com"`, "https://company.com"},
		{"url", `"javascript:alert(1)"`, "refused", ""},
		{"address", `{"city":"Berlin"}`, `{"city":"Berlin"}`, "Berlin"},
		{"address", `{"planet":"Mars"}`, "refused", ""},
		{"json", `{"a":[1,2]}`, `{"a":[1,2]}`, `{"a":[1,2]}`},
		{"file", `"0199d2c8-5b1e-7c7e-8f4e-1a2b3c4d5e6f"`, `"0199d2c8-5b1e-7c7e-8f4e-1a2b3c4d5e6f"`, "0199d2c8-5b1e-7c7e-8f4e-1a2b3c4d5e6f"},
		{"relation", `"x"`, "refused", ""},
	} {
		typ, ok := record.FieldType(test.typ)
		if !ok {
			t.Fatalf("no type %s", test.typ)
		}
		f := &record.Field{Name: "f", Label: "F", Type: typ}
		if test.typ == "select" || test.typ == "list" {
			f.Options = options
		}
		dec := json.NewDecoder(strings.NewReader(test.in))
		dec.UseNumber()
		var raw any
		if err := dec.Decode(&raw); err != nil {
			t.Fatal(err)
		}
		v, err := typ.Parse(f, raw)
		if err != nil || v == nil {
			if (err != nil) != (test.out == "refused") || (err == nil && test.out != "") {
				t.Errorf("%s %s: %v, want %s", test.typ, test.in, err, test.out)
			}
			continue
		}
		if got := string(typ.AppendJSON(nil, v)); got != test.out {
			t.Errorf("%s %s: JSON %s, want %s", test.typ, test.in, got, test.out)
		}
		text := typ.Text(v)
		if text != test.text {
			t.Errorf("%s %s: text %q, want %q", test.typ, test.in, text, test.text)
		}
		if back, err := typ.ParseText(f, text); test.typ != "address" && (err != nil || !record.Same(back, v)) {
			t.Errorf("%s: the text %q reads back as %v, %v", test.typ, text, back, err)
		}
	}
}

func TestRichTextKeepsOnlyWhatIsSafe(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`a < b & c`:                                                "a &lt; b &amp; c",
		`<a href="javascript:alert(1)">x</a>`:                      "<a>x</a>",
		`<a href=" JaVaScript:alert(1)">x</a>`:                     "<a>x</a>",
		`<a href="https://x.test/?a=1&b=2" onclick=y>x</a>`:        `<a href="https://x.test/?a=1&amp;b=2" rel="noopener noreferrer nofollow">x</a>`,
		`<img src=x onerror=alert(1)>`:                             "",
		`<svg><script>alert(1)</script></svg>z`:                    "z",
		`<math><mtext><table><mglyph><style><img src=x onerror=1>`: "",
		`<div style="position:fixed">x</div>`:                      "x",
		`<b><i>x`:                                                  "<b><i>x</i></b>",
		`<style>*{}</style><iframe src=//x></iframe>y`:             "y",
		`<p>1</p><!-- c --><ul><li>2</ul>`:                         "<p>1</p><ul><li>2</li></ul>",
		"<textarea></textarea><img src=1>":                         "",
		strings.Repeat("<b>", 500) + "x":                           "",
	} {
		got := record.CleanHTML(in)
		if want == "" && strings.Contains(in, "<b><b>") {
			if strings.Count(got, "<b>") > 60 {
				t.Errorf("nested %d deep", strings.Count(got, "<b>"))
			}
			continue
		}
		if got != want {
			t.Errorf("%s\n got  %s\n want %s", in, got, want)
		}
		if again := record.CleanHTML(got); again != got {
			t.Errorf("cleaning twice changes %s into %s", got, again)
		}
	}
}
