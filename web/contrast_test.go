package web_test

import (
	"fmt"
	"math"
	"os"
	"regexp"
	"strconv"
	"testing"
)

// pair is a colour standing on another, with the ratio WCAG 2.2 asks for: 4.5 for
// text, 3 for control edges, focus rings and chart marks.
type pair struct {
	on, over string
	min      float64
}

func tokenPairs() []pair {
	pairs := []pair{
		{"accent-ink", "accent-soft", 4.5},
		{"canvas", "ink", 4.5},
		{"surface", "accent", 4.5},
		{"line-strong", "surface", 3},
		{"line-strong", "sunken", 3},
		{"line-strong", "canvas", 3},
		{"line-strong", "raised", 3},
		{"focus", "surface", 3},
		{"focus", "sunken", 3},
		{"focus", "canvas", 3},
		{"focus", "raised", 3},
	}
	for _, text := range []string{"ink", "ink-2", "ink-3"} {
		for _, ground := range []string{"canvas", "surface", "raised", "sunken", "hover"} {
			pairs = append(pairs, pair{text, ground, 4.5})
		}
	}
	for _, tone := range []string{"accent", "ai", "good", "warn", "bad"} {
		for _, ground := range []string{"canvas", "surface", "raised", tone + "-soft"} {
			pairs = append(pairs, pair{tone, ground, 4.5})
		}
		pairs = append(pairs, pair{"ink", tone + "-soft", 4.5})
	}
	for i := 1; i <= 8; i++ {
		pairs = append(pairs, pair{fmt.Sprintf("cat-%d", i), "surface", 3}, pair{fmt.Sprintf("cat-%d", i), "raised", 3})
	}
	return pairs
}

// Every colour that text, edges or marks stand on keeps its contrast in both themes.
func TestContrast(t *testing.T) {
	t.Parallel()
	tokens := readTokens(t)
	for _, p := range tokenPairs() {
		for theme, name := range []string{"light", "dark"} {
			got := ratio(t, tokens, p, theme)
			if got < p.min {
				t.Errorf("%s on %s (%s): %.2f, needed are %.1f", p.on, p.over, name, got, p.min)
			}
		}
	}
}

var token = regexp.MustCompile(`--([a-z0-9-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)`)

func readTokens(t *testing.T) map[string][2]string {
	t.Helper()
	css, err := os.ReadFile("css/tokens.css")
	if err != nil {
		t.Fatal(err)
	}
	tokens := map[string][2]string{}
	for _, m := range token.FindAllStringSubmatch(string(css), -1) {
		tokens[m[1]] = [2]string{m[2], m[3]}
	}
	return tokens
}

func ratio(t *testing.T, tokens map[string][2]string, p pair, theme int) float64 {
	t.Helper()
	a, okA := tokens[p.on]
	b, okB := tokens[p.over]
	if !okA || !okB {
		t.Fatalf("tokens.css lacks %s or %s", p.on, p.over)
	}
	la, lb := luminance(a[theme]), luminance(b[theme])
	return (math.Max(la, lb) + 0.05) / (math.Min(la, lb) + 0.05)
}

func luminance(hex string) float64 {
	channel := func(s string) float64 {
		n, _ := strconv.ParseUint(s, 16, 8) // the pattern allows hex digits only
		c := float64(n) / 255
		if c <= 0.04045 {
			return c / 12.92
		}
		return math.Pow((c+0.055)/1.055, 2.4)
	}
	return 0.2126*channel(hex[1:3]) + 0.7152*channel(hex[3:5]) + 0.0722*channel(hex[5:7])
}
