package liquid_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"crm/internal/platform/liquid"
)

type tier string

func data() map[string]any {
	name := "Ann"
	return map[string]any{
		"contact": map[string]any{
			"first_name": "Ann", "last_name": "O'Neil <b>", "empty": "", "blank": "  ", "nothing": nil, "vip": true, "age": 41,
			"pointer": &name, "tags": []string{"a", "b & c", "d"}, "website": "https://x.test/?a=1&b=2", "tier": tier("gold"),
			"custom": map[string]any{"shoe-size": 44.5, "color": "#ff0000"}, "text_number": "12.5", "multi": "a\r\nBcc: x@evil.test",
		},
		"deal":  map[string]any{"amount": map[string]any{"amount": "1234.50", "currency": "EUR"}, "close": time.Date(2026, 3, 9, 7, 5, 0, 0, time.UTC), "rate": 0.1},
		"date":  "2026-12-24",
		"now":   time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC),
		"items": []any{1, "two", 3.5, nil},
	}
}

func render(t *testing.T, src string, kind liquid.Kind) string {
	t.Helper()
	tpl, err := liquid.Compile(src, kind)
	if err != nil {
		t.Errorf("compile %s: %v", src, err)
		return ""
	}
	out, err := tpl.Render(data())
	if err != nil {
		t.Errorf("render %s: %v", src, err)
	}
	return out
}

func TestRender(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]string{
		"":        "",
		"plain":   "plain",
		"a { b }": "a { b }",
		"}} %} {": "}} %} {",
		`{{ contact.first_name | default: "there" }}`:                                  "Ann",
		`{{ contact.missing | default: "there" }}`:                                     "there",
		`{{ missing.first_name | default: "there" }}`:                                  "there",
		`{{ contact.first_name.x | default: "there" }}`:                                "there",
		`{{ contact.nothing | default: "there" }}`:                                     "there",
		`{{ contact.empty | default: 'there' }}`:                                       "there",
		`{{ contact.blank | default: "there" }}`:                                       "there",
		`{{ contact.empty | default: contact.first_name }}`:                            "Ann",
		`{{ contact.pointer }} {{ contact.tier }}`:                                     "Ann gold",
		`{{ missing }}|{{ contact.nothing }}|{{ contact }}`:                            "||",
		`{{ contact.tags }}`:                                                           "a, b & c, d",
		`{{ contact.tags | join: "/" }}`:                                               "a/b & c/d",
		`{{ contact.tags[0] }}{{ contact.tags[-1] }}{{ contact.tags[9] }}`:             "ad",
		`{{ contact.tags.first }}{{ contact.tags.last }}{{ contact.tags.size }}`:       "ad3",
		`{{ contact.tags | first }}{{ contact.tags | last }}{{ contact.tags | size }}`: "ad3",
		`{{ contact.custom.shoe-size }} {{ contact.custom["shoe-size"] }}`:             "44.5 44.5",
		`{{ items }}`: "1, two, 3.5, ",
		`{{ "x" | upcase }}{{ 'Y' | downcase }}{{ "éCOLE du" | capitalize }}`: "XyÉcole du",
		`[{{ "  a b " | strip }}]`:                                        "[a b]",
		`{{ "a" | append: "b" | prepend: "c" }}`:                          "cab",
		`{{ "a-b-c" | replace: "-", "+" }}{{ "abc" | replace: "", "x" }}`: "a+b+cabc",
		`{{ "abcdef" | truncate: 5 }} {{ "abcdef" | truncate: 6 }} {{ "äöüß" | truncate: 3, "…" }} {{ "abc" | truncate: 0 }}`: "ab... abcdef äö… ...",
		`{{ "a b&c=ü" | url_encode }}`:     "a+b%26c%3D%C3%BC",
		`{{ "<a>" | escape }} {{ "<a>" }}`: "&lt;a&gt; <a>",
		`{{ 3 | plus: 4 }} {{ 3 | minus: 4.5 }} {{ "3" | times: "4" }} {{ 7 | divided_by: 2 }} {{ 7.0 | divided_by: 2 }} {{ -7 | divided_by: 2 }}`: "7 -1.5 12 3 3.5 -4",
		`{{ 2.5 | round }} {{ 2.345 | round: 2 }} {{ 12 | round: 2 }} {{ "x" | round }}`:                                                           "3 2.35 12.00 0",
		`{{ contact.missing | plus: 1 }}`: "1",
		`{{ deal.close | date: "%d.%m.%Y %H:%M" }} {{ deal.close | date: "%-d %B %y, %A" }}`:                       "09.03.2026 07:05 9 March 26, Monday",
		`{{ date | date: "%d/%m" }} {{ "now" | date: "%Y" }} {{ "soon" | date: "%Y" }} {{ missing | date: "%Y" }}`: "24/12 2026 soon ",
		`{{ "2026-03-29T02:30:00+02:00" | date: "%F %T %z %j %V %u %%" }}`:                                         "2026-03-29 02:30:00 +0200 088 13 7 %",
		`{{ deal.close }}`:                                                                                "2026-03-09 07:05",
		`{{ deal.rate }}{{ true }}{{ nil }}{{ -3 }}`:                                                      "0.1true-3",
		`{% if contact.vip %}y{% else %}n{% endif %}`:                                                     "y",
		`{% if contact.empty %}y{% else %}n{% endif %}`:                                                   "y", // as in Liquid, an empty text is true
		`{% if contact.empty != blank %}y{% else %}n{% endif %}`:                                          "n",
		`{% if contact.tags == empty or missing == blank and contact.vip %}y{% endif %}`:                  "y",
		`{% if missing %}y{% elsif contact.age > 40 %}z{% else %}n{% endif %}`:                            "z",
		`{% unless missing %}y{% else %}n{% endunless %}`:                                                 "y",
		`{% if contact.age >= 41 and contact.age <= 41.0 %}y{% endif %}`:                                  "y",
		`{% if contact.text_number > 12 %}y{% endif %}`:                                                   "y",
		`{% if contact.age == "41" and 41 == 41.0 and "a" < "b" %}y{% endif %}`:                           "y",
		`{% if contact.first_name contains "nn" and contact.tags contains "d" %}y{% endif %}`:             "y",
		`{% if contact.age contains 1 or missing contains "x" or missing < 3 %}y{% else %}n{% endif %}`:   "n",
		`{% if contact.age <> 3 %}y{% endif %}`:                                                           "y",
		`{% case contact.tier %}{% when "silver" %}s{% when "bronze", "gold" %}g{% else %}e{% endcase %}`: "g",
		`{% case contact.age %} {% when 1 or 41 %}y{% endcase %}`:                                         "y",
		`{% case missing %}{% when 1 %}y{% else %}e{% endcase %}`:                                         "e",
		`a{% comment %} {{ x | nofilter }} {% for %} {% comment %}{% endcomment %} {% endcomment %}b`:     "ab",
		"a \n {%- if true -%} \n b \n {%- endif -%} \n c":                                                 "abc",
		"a {{- 1 -}} b": "a1b",
		`{%if true%}{{contact.first_name}}{%endif%}`: "Ann",
	} {
		if got := render(t, src, liquid.Text); got != want {
			t.Errorf("%s\n got %q\nwant %q", src, got, want)
		}
	}
}

func TestHTMLEscaping(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]string{
		`<p>{{ contact.last_name }}</p>`:                                                            `<p>O&#39;Neil &lt;b&gt;</p>`,
		`{{ contact.last_name | escape }}`:                                                          `O&#39;Neil &lt;b&gt;`,
		`{{ contact.last_name | escape | upcase }}`:                                                 `O&#39;NEIL &lt;B&gt;`,
		`{{ "<i>" | append: contact.last_name }}`:                                                   `&lt;i&gt;O&#39;Neil &lt;b&gt;`,
		`{{ contact.missing | default: "<br>" }}`:                                                   `&lt;br&gt;`,
		`{{ contact.tags }}`:                                                                        `a, b &amp; c, d`,
		`<a href="{{ contact.website }}">x</a>`:                                                     `<a href="https://x.test/?a=1&amp;b=2">x</a>`,
		`<a href='{{ "JavaScript:alert(1)" }}'>`:                                                    `<a href='#'>`,
		"<a href=\"{{ \"java\n\tscript:alert(1)\" }}\">":                                            `<a href="#">`,
		`<a href=" {{ "data:text/html,x" }}">`:                                                      `<a href=" #">`,
		`<a href="{{ "mailto:a@b.test" }}">`:                                                        `<a href="mailto:a@b.test">`,
		`<a href="{{ "/path:x" }}">`:                                                                `<a href="/path:x">`,
		`<a href="{{ "java" }}{{ "script:alert(1)" }}">`:                                            `<a href="javascript%3Aalert(1)">`,
		`<a href="java{{ "script:alert(1)" }}">`:                                                    `<a href="javascript%3Aalert(1)">`,
		`<a href="https://x.test/{{ "a:b" }}?q={{ "c:d" | url_encode }}">`:                          `<a href="https://x.test/a:b?q=c%3Ad">`,
		`<A HREF="{{ "vbscript:x" }}">`:                                                             `<A HREF="#">`,
		`<td style="color: {{ contact.custom.color }}">`:                                            `<td style="color: #ff0000">`,
		`<td style="color: {{ "red; background: url(//evil)" }}">`:                                  `<td style="color: ">`,
		`<style>p { color: {{ "red } *{x:expression(1)" }} }</style>{{ "<" }}`:                      `<style>p { color:  }</style>&lt;`,
		`<!-- {{ "--><script>" }} -->`:                                                              `<!-- --&gt;&lt;script&gt; -->`,
		`<title>{{ "</title><script>" }}</title>`:                                                   `<title>&lt;/title&gt;&lt;script&gt;</title>`,
		`<td {% if contact.vip %}class="v"{% else %}class="n"{% endif %}>{{ "<" }}`:                 `<td class="v">&lt;`,
		`<a href="{% if contact.vip %}https://a.test/{% else %}{{ contact.website }}{% endif %}x">`: `<a href="https://a.test/x">`,
		`<!--[if mso]><a href="{{ "javascript:x" }}"><![endif]-->{{ "<" }}`:                         `<!--[if mso]><a href="#"><![endif]-->&lt;`,
		`a < b {{ "<" }}`:            `a < b &lt;`,
		`<style>a</STYLE >{{ "<" }}`: `<style>a</STYLE >&lt;`,
	} {
		if got := render(t, src, liquid.HTML); got != want {
			t.Errorf("%s\n got %s\nwant %s", src, got, want)
		}
	}
	tpl, err := liquid.Compile(`<img alt="{{ v }}" title='{{ v }}'>{{ v }}`, liquid.HTML)
	if err != nil {
		t.Fatal(err)
	}
	got, err := tpl.Render(map[string]any{"v": "\"' onerror=alert(1)><script>&\x00"})
	if err != nil || strings.Contains(got, "<script") || strings.Count(got, `"`) != 2 || strings.Count(got, `'`) != 2 {
		t.Errorf("%s, %v", got, err)
	}
}

func TestPlacesWhereNoEscapingIsSafe(t *testing.T) {
	t.Parallel()
	for _, src := range []string{
		`<script>{{ x }}</script>`, `<SCRIPT type="a">var a = "{{ x }}"</SCRIPT>`, `<a onclick="{{ x }}">`, `<a ONCLICK='f({{ x }})'>`,
		`<a href={{ x }}>`, `<a href=a{{ x }}>`, `<a {{ x }}>`, `<a {{ x }}="y">`, `<{{ x }}>`, `</{{ x }}>`, `<a h{{ x }}="y">`,
		`<iframe srcdoc="{{ x }}">`, `<iframe>{{ x }}</iframe>`, `<a href="{{ x }}:alert(1)">`, `<xmp>{{ x }}</xmp>`,
		`<a{% if x %} title="a{% endif %}>`, `{% if x %}<script>{% endif %}{{ y }}`, `<a{% if x %}>{% endif %}`,
		`{% case x %}{% when 1 %}<a href="{% else %}<b>{% endcase %}`, `<a href="{{ x }}` + "\n\n" + `:x">`,
		`<script>//</scriptx>{{ x }}</script>`, `<div/{{ x }}>`, `<a title="x"{{ x }}>`, `<!--[if mso]><script>{{ x }}`,
	} {
		var problem *liquid.Error
		if _, err := liquid.Compile(src, liquid.HTML); !errors.As(err, &problem) || problem.Line == 0 {
			t.Errorf("%s: got %v, want an error with a line", src, err)
		}
		if _, err := liquid.Compile(src, liquid.Text); err != nil && !strings.Contains(src, "case") {
			t.Errorf("%s as text: %v", src, err)
		}
	}
}

func TestSubjectIsOneLine(t *testing.T) {
	t.Parallel()
	if got := render(t, "Hi {{ contact.multi }}\n & {{ contact.last_name }}\n", liquid.Subject); got != "Hi a Bcc: x@evil.test  & O'Neil <b>" {
		t.Errorf("got %q", got)
	}
}

func TestErrorsGiveLineAndSentence(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]string{
		"a\nb {{ x":                                       "line 2: “{{” is opened here but not closed",
		"a\n{% if x %}\n":                                 "line 2: “if” is opened here but not closed; add {% endif %}",
		"\n\n{% for a in b %}{% endfor %}":                "line 3: the tag “for” is not available",
		"{{ x | nope }}":                                  "there is no filter “nope”; the filters are append",
		"{{ x | raw }}":                                   "there is no filter “raw”",
		"{{ x | default }}":                               "default: \"there\"",
		"{{ x | upcase: 1 }}":                             "is written like",
		"{{ }}":                                           "is empty",
		"{{ x | default: “there” }}":                      "straight quotes",
		"{{ x | default: ‘there’ }}":                      "straight quotes",
		`{{ x | default: "there }}`:                       "begins with \" but does not end",
		"{% if x = 1 %}{% endif %}":                       "compare with == instead of =",
		"{% if x && y %}{% endif %}":                      "“and”",
		"{% if %}{% endif %}":                             "needs a condition",
		"{% if x y %}{% endif %}":                         "“y” is not expected",
		"{% endif %}":                                     "“endif” has no beginning",
		"{% if a %}{% endunless %}":                       "does not belong into “if”",
		"{% if a %}{% else %}{% else %}{% endif %}":       "second “else”",
		"{% if a %}{% else %}{% elsif b %}{% endif %}":    "“elsif” cannot come after “else”",
		"{% if a %}{% else b %}{% endif %}":               "write “elsif”",
		"{% case %}{% endcase %}":                         "a value is expected",
		"{% case a %}x{% when 1 %}{% endcase %}":          "must be followed by “when”",
		"{% case a %}{% else %}{% when 1 %}{% endcase %}": "“when” cannot come after “else”",
		"{% comment %}":                                   "“comment” is opened here but not closed",
		"{{ contact. }}":                                  "the name of a field is expected",
		"{{ contact[x] }}":                                "a number or a text in quotes",
		"{{ contact[1 }}":                                 "add “]”",
		"{{ 99999999999999999999 }}":                      "too large",
		"{{ a\u00a0b }}":                                  "non-breaking space",
		"{{ a }":                                          "not closed",
		"{{ a ; b }}":                                     "does not belong here",
		"\xff":                                            "UTF-8",
		"a\x00b":                                          "UTF-8",
	} {
		_, err := liquid.Compile(src, liquid.Text)
		var problem *liquid.Error
		if !errors.As(err, &problem) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", src, err, want)
		}
	}
}

func TestRenderErrors(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]string{
		"a\n{{ 1 | divided_by: 0 }}":    "line 2: a number is divided by zero",
		`{{ 1 | divided_by: "x" }}`:     "divided by zero",
		`{{ deal.close | date: "%Q" }}`: "is not known",
		`{{ deal.close | date: "%" }}`:  "write %% for",
		`{{ "a" | truncate: -1 }}`:      "whole number",
		`{{ 1 | round: 99 }}`:           "0 to 12",
	} {
		tpl, err := liquid.Compile(src, liquid.Text)
		if err != nil {
			t.Errorf("%s: %v", src, err)
			continue
		}
		out, err := tpl.Render(data())
		var problem *liquid.Error
		if !errors.As(err, &problem) || !strings.Contains(err.Error(), want) || out != "" {
			t.Errorf("%s: got %q, %v, want %q", src, out, err, want)
		}
	}
}

func TestVariables(t *testing.T) {
	t.Parallel()
	tpl, err := liquid.Compile(`{{ contact.first_name | default: deal.name }}{% if b and a.x == "contact.no" %}{% endif %}{% case c["k"] %}{% when d[0] %}{{ contact.first_name }}{% endcase %}{% comment %}{{ hidden }}{% endcomment %}`, liquid.Text)
	if err != nil {
		t.Fatal(err)
	}
	if got := tpl.Variables(); !slices.Equal(got, []string{"a.x", "b", "c.k", "contact.first_name", "d.0", "deal.name"}) {
		t.Errorf("got %q", got)
	}
}

func TestOnlyPlainDataIsVisible(t *testing.T) {
	t.Parallel()
	type secretive struct{ Password string }
	vars := map[string]any{
		"s": secretive{"hunter2"}, "p": &secretive{"hunter2"}, "f": func() string { return "hunter2" }, "c": make(chan int),
		"e": errors.New("hunter2"), "b": []byte("hunter2"), "m": map[int]string{1: "hunter2"}, "l": []secretive{{"hunter2"}},
		"d": time.Second, "nan": math.NaN(), "pp": new(*string), "u": uint64(math.MaxUint64), "fs": fmt.Stringer(nil),
	}
	tpl, err := liquid.Compile(`{{ s }}{{ s.Password }}{{ p.Password }}{{ f }}{{ c }}{{ e }}{{ e.Error }}{{ b }}{{ m }}{{ m[1] }}{{ l }}{{ l[0].Password }}{{ nan }}{{ pp }}{{ fs }}`, liquid.Text)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := tpl.Render(vars); err != nil || out != "" {
		t.Errorf("got %q, %v", out, err)
	}
}

func TestTemplateIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	tpl, err := liquid.Compile(`{% if n %}{{ n | plus: 1 }}{% endif %}`, liquid.HTML)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			if out, err := tpl.Render(map[string]any{"n": i}); err != nil || out != fmt.Sprint(i+1) {
				t.Errorf("%d: %q, %v", i, out, err)
			}
		})
	}
	wg.Wait()
}
