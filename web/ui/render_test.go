package ui_test

import (
	"bytes"
	"compress/gzip"
	"regexp"
	"strings"
	"testing"

	"github.com/a-h/templ"

	"crm/web/ui"
)

func draw(t *testing.T, c templ.Component) string {
	t.Helper()
	var out bytes.Buffer
	if err := c.Render(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

var (
	inlineStyle = regexp.MustCompile(`<[^>]* style=`)
	inlineEvent = regexp.MustCompile(`<[^>]* on[a-z]+=`)
	script      = regexp.MustCompile(`<script[^>]*>`)
	idOf        = regexp.MustCompile(` id="([^"]*)"`)
)

// The CSP refuses inline styles, handlers and scripts without the nonce; no page may
// hold one, filled or empty, and no id may stand twice.
func TestPagesObeyTheContentPolicy(t *testing.T) {
	t.Parallel()
	for name, body := range samplePages() {
		html := draw(t, ui.Screen{Layout: sampleLayout(), Body: body})
		if m := inlineStyle.FindString(html) + inlineEvent.FindString(html); m != "" {
			t.Errorf("%s holds %s", name, m)
		}
		for _, s := range script.FindAllString(html, -1) {
			if !strings.Contains(s, `nonce="0123abcd"`) {
				t.Errorf("%s holds a script without the nonce: %s", name, s)
			}
		}
		reportTwins(t, name, html)
	}
}

func reportTwins(t *testing.T, page, html string) {
	t.Helper()
	seen := map[string]bool{}
	for _, m := range idOf.FindAllStringSubmatch(html, -1) {
		if seen[m[1]] {
			t.Errorf("%s holds the id %q twice", page, m[1])
		}
		seen[m[1]] = true
	}
}

func TestTextIsNeverMarkup(t *testing.T) {
	t.Parallel()
	evil := `"><script>alert(1)</script>`
	html := draw(t, ui.ListPage{Title: evil, Columns: []ui.Column{{Label: evil}, {}, {}}, Rows: []ui.Row{{ID: evil, Cells: []ui.Value{
		ui.TextLink{Text: evil, Href: "javascript:alert(1)"}, ui.Web{Href: "javascript:alert(1)", Text: evil}, ui.Tags{Items: []ui.Choice{{Label: evil}}},
	}}}})
	if strings.Contains(html, "<script") || strings.Contains(html, `href="javascript:`) {
		t.Errorf("text became markup: %s", html)
	}
}

// A later page stays under 25 KB packed, also with fifty rows and all their reasons.
func TestListPageWeight(t *testing.T) {
	t.Parallel()
	html := draw(t, ui.Screen{Layout: sampleLayout(), Body: sampleList(50)})
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write([]byte(html)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	t.Logf("50 rows: %d bytes, %d packed", len(html), packed.Len())
	if packed.Len() > 25<<10 {
		t.Errorf("50 rows weigh %d bytes packed, allowed are %d", packed.Len(), 25<<10)
	}
}

// What a person typed and what went wrong both survive a refused form.
func TestRefusedFormKeepsValuesAndNamesProblems(t *testing.T) {
	t.Parallel()
	html := draw(t, ui.Form{Action: "/x", Submit: "Save", Errors: []string{"Jonas changed it."}, Groups: []ui.FieldGroup{{Fields: []ui.Field{
		{Name: "email", Label: "E-mail", Kind: ui.FieldEmail, Value: "ada@", Error: "Enter an address like name@company.com."},
	}}}})
	for _, want := range []string{`value="ada@"`, `aria-invalid="true"`, `aria-describedby="f-email-error"`, `href="#f-email"`, `Jonas changed it.`, `data-focus="f-email"`} {
		if !strings.Contains(html, want) {
			t.Errorf("the form lacks %s", want)
		}
	}
}

// A card moves without script: its menu is a form with every other stage.
func TestCardMovesWithoutScript(t *testing.T) {
	t.Parallel()
	html := draw(t, sampleBoard())
	for _, want := range []string{`action="/acme/deals/d1/move"`, `name="stage_id" value="s2"`, `name="stage_id" value="s3"`, `name="lost_reason"`, `name="version" value="3"`} {
		if !strings.Contains(html, want) {
			t.Errorf("the card's menu lacks %s", want)
		}
	}
	if strings.Contains(html, `name="stage_id" value="s1"`) {
		t.Error("the menu offers the stage the card is in")
	}
}

func TestSortedColumnSaysSo(t *testing.T) {
	t.Parallel()
	if html := draw(t, sampleList(1)); !strings.Contains(html, `aria-sort="ascending"`) {
		t.Error("the sorted column has no aria-sort")
	}
}

// A model may spell the points in its sentence; the list shows them once, as a figure.
func TestReasonShowsItsPointsOnce(t *testing.T) {
	t.Parallel()
	score := ui.Score{Value: 22, Grade: "C", ID: "r1", Reasons: []ui.Reason{{Text: "Source is newsletter: −13 points", Effect: -12.8}, {Text: "Ratio is 3: 1", Effect: 0.1}}}
	html := draw(t, score)
	if strings.Contains(html, "points") || !strings.Contains(html, ">−13<") {
		t.Errorf("the points stand twice or not at all: %s", html)
	}
	if !strings.Contains(html, "Ratio is 3: 1") {
		t.Errorf("a sentence without points was cut: %s", html)
	}
	if !strings.Contains(html, `aria-label="AI: 22 C. `) {
		t.Errorf("the name of the button does not begin with what it shows: %s", html)
	}
}
