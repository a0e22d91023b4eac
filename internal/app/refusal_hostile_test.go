package app_test

import (
	"bytes"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// hostileTexts are texts that have broken programs. They are written as bytes of a JSON
// text, because the worst of them are no Go strings.
var hostileTexts = map[string]string{
	"quotes":        `' OR '1'='1`,
	"sql":           `'; drop table contacts; --`,
	"sql function":  `x' || pg_sleep(0) || 'UTC`,
	"like":          `%_\\%`,
	"backslashes":   `\\\\' \\n \\`,
	"dollar":        `$1 $$ $tag$`,
	"format":        `%s %n %d %!x(MISSING) {0}`,
	"template":      `{{.}} {{ 7 | times: 7 }} {% raw %} ${7*7} #{7*7} <%= 7 %>`,
	"path":          `../../../../etc/passwd`,
	"line breaks":   `a\r\nBcc: x@example.com\r\n\r\nb`,
	"formula":       `=cmd|'/c calc'!A1`,
	"formulas":      `+1 -1 @SUM(1) \t=1`,
	"markup":        `<script>alert(1)</script>\"'><img src=x onerror=alert(1)>`,
	"script url":    `javascript:alert(1)`,
	"emoji":         `👩‍👩‍👧‍👦 🏳️‍🌈`,
	"right to left": `مرحبا שלום`,
	"bidi":          `\u202egnp.exe \u2066x\u2069`,
	"zero width":    `a\u200b\u200d\ufeffb`,
	"combining":     `Z\u0351\u036b\u0343\u036a`,
	"controls":      `\u0001\u0007\u001b[2J`,
	"json":          `{\"$ne\": null} [1] null`,
	"numbers":       `9999999999999999999999 1e999 -0 NaN`,
	"times":         `0000-00-00T99:99:99Z`,
	"blank":         ` \t `,
	"empty":         ``,
	"NUL":           `a\u0000b`,
	"surrogate":     `a\ud800b`,
	"half pair":     `\udc00\ud800`,
	"not UTF-8":     "a\xff\xfe\xc0\x80b",
	"long":          strings.Repeat("ä", 20_000),
}

// marker is what a hostile text takes the place of in an encoded body.
const marker = "hostile-goes-here"

// isText fits schemas of texts of any form: choices, ids and times are texts too. isFree
// fits those in which people write what they like.
func isText(s map[string]any) bool { return isType(s, "string") }
func isFree(s map[string]any) bool { return isText(s) && s["format"] == nil && s["enum"] == nil }

// TestHostileTextsInBodies puts every hostile text into all free texts of every body at
// once, and a few of them into each text alone, so that one field's refusal does not
// hide another's failure.
func TestHostileTextsInBodies(t *testing.T) {
	t.Parallel()
	r := newRefusals(t)
	fields, turn := 0, 0
	names := slices.Sorted(maps.Keys(hostileTexts))
	for _, c := range r.routes() {
		if c.Body == nil || c.Upload {
			continue
		}
		leaves := r.leaves(c.body(), isText, 0)
		fields += len(leaves)
		all := r.good(c)
		for _, path := range r.leaves(c.body(), isFree, 0) {
			all = put(all, path, marker)
		}
		for _, name := range names {
			r.attack(t, c, name, hostileTexts[name], encode(t, all))
		}
		for _, path := range leaves {
			alone := encode(t, put(r.good(c), path, marker))
			for range 3 {
				name := names[turn%len(names)]
				turn++
				r.attack(t, c, fmt.Sprint(name, " in ", path), hostileTexts[name], alone)
			}
		}
		huge := bytes.Replace(encode(t, all), []byte(marker), bytes.Repeat([]byte("x"), 1<<20), 1)
		r.attack(t, c, "a megabyte", "", huge)
	}
	if fields < 400 || r.taken < 300 {
		t.Errorf("only %d texts, and %d calls that were not refused", fields, r.taken)
	}
}

func (r *refusals) attack(t *testing.T, c call, name, text string, body []byte) {
	t.Helper()
	body = bytes.ReplaceAll(body, []byte(marker), []byte(text))
	a := r.send(t, r.caller.Key, c.Method, r.address(t, c, r.own), "application/json", body)
	r.judge(t, fmt.Sprintf("%s: %s", c, name), text, a)
	if a.Status < 300 {
		r.taken++
	}
	if len(a.Raw) > 0 && a.Status < 500 && a.JSON == nil && !strings.HasPrefix(a.Header.Get("Content-Type"), "text/") {
		t.Errorf("%s: %s: the answer is no JSON: %.200q", c, name, a.Raw)
	}
}

// raw is a hostile text as bytes: escapes of JSON are read, halves of surrogates become
// the bytes UTF-8 forbids.
func raw(text string) string {
	r := strings.NewReplacer(`\\`, `\`, `\"`, `"`, `\r`, "\r", `\n`, "\n", `\t`, "\t", `\u0000`, "\x00", `\ud800`, "\xed\xa0\x80", `\udc00`, "\xed\xb0\x80",
		`\u202e`, "\u202e", `\u2066`, "\u2066", `\u2069`, "\u2069", `\u200b`, "\u200b", `\u200d`, "\u200d", `\ufeff`, "\ufeff", `\u0001`, "\x01", `\u0007`, "\x07", `\u001b`, "\x1b")
	return r.Replace(text)
}

// TestHostileTextsInAddresses puts them into every parameter of every path and query,
// filters of every field included.
func TestHostileTextsInAddresses(t *testing.T) {
	t.Parallel()
	r := newRefusals(t)
	names, turn := slices.Sorted(maps.Keys(hostileTexts)), 0
	next := func() (string, string) {
		turn++
		name := names[turn%len(names)]
		if name == "long" {
			return name, strings.Repeat("x", 4000)
		}
		return name, raw(hostileTexts[name])
	}
	for _, c := range r.routes() {
		var body []byte
		if c.Body != nil && !c.Upload {
			body = encode(t, r.sample(c.body(), false, 0))
		}
		ask := func(name, text, address string) {
			a := r.send(t, r.caller.Key, c.Method, address, contentTypeOf(body), body)
			r.judge(t, fmt.Sprintf("%s at %.200s: %s", c, address, name), text, a)
		}
		for range pathTries(c) {
			name, text := next()
			ask(name, text, pathParam.ReplaceAllStringFunc(c.path, func(string) string { return escapedPart(text) }))
		}
		path := r.address(t, c, r.own)
		for _, p := range r.questions(t, c) {
			for range p.tries {
				name, text := next()
				ask(name, text, path+"?"+url.QueryEscape(p.name)+"="+url.QueryEscape(text))
			}
		}
		if len(c.Params) > 0 {
			name, text := next()
			ask(name, text, path+"?"+url.QueryEscape(text)+"="+url.QueryEscape(text))
		}
	}
	if r.seen < 3000 {
		t.Errorf("only %d calls", r.seen)
	}
}

// escapedPart is a text as one part of a path; an empty one would be another address.
func escapedPart(text string) string {
	if text == "" || text == "." || text == ".." {
		return "%20"
	}
	return url.PathEscape(text)
}

func pathTries(c call) int {
	if !strings.Contains(c.path, "{") {
		return 0
	}
	return 5
}

type question struct {
	name  string
	tries int
}

// questions are the query parameters of a call: those it declares, and for lists a
// filter of every field with operators in turn.
func (r *refusals) questions(t *testing.T, c call) []question {
	t.Helper()
	var out []question
	for _, p := range c.Params {
		out = append(out, question{p.Name, 6})
	}
	o, ok := r.env.App.Kernel.ObjectFor(r.caller.Ctx, objectOf(c))
	if !c.Filters || !ok {
		return out
	}
	for i, f := range o.Def.Fields {
		ops := f.Type.Ops()
		if len(ops) == 0 {
			continue
		}
		out = append(out, question{f.Name, 1}, question{fmt.Sprintf("%s[%s]", f.Name, ops[i%len(ops)]), 1})
	}
	return out
}
