package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

var (
	svgBody = regexp.MustCompile(`(?s)<svg[^>]*>(.*)</svg>`)
	between = regexp.MustCompile(`\s*\n\s*`)
)

// addSprite gathers web/icons/*.svg into one file of <symbol>s. Stroke and caps
// are inherited from the CSS of the referencing <svg class="i">.
func (b *Bundle) addSprite(folder string) error {
	paths, err := filepath.Glob(filepath.Join(folder, "*.svg"))
	if err != nil {
		return fmt.Errorf("find icons in %s: %w", folder, err)
	}
	if len(paths) == 0 {
		return fmt.Errorf("there are no icons in %s", folder)
	}
	var out bytes.Buffer
	out.WriteString(`<svg xmlns="http://www.w3.org/2000/svg"><!-- Lucide, ISC licence, /assets/licences.txt -->`)
	for _, p := range paths {
		data, err := os.ReadFile(p)
		if err != nil {
			return fmt.Errorf("read icon: %w", err)
		}
		body := svgBody.FindSubmatch(data)
		if body == nil {
			return fmt.Errorf("read icon %s: no <svg> element", p)
		}
		name := strings.TrimSuffix(filepath.Base(p), ".svg")
		fmt.Fprintf(&out, `<symbol id="%s" viewBox="0 0 24 24">%s</symbol>`, name, between.ReplaceAllString(strings.TrimSpace(string(body[1])), ""))
	}
	out.WriteString("</svg>\n")
	b.add("icons.svg", out.Bytes())
	return nil
}

// addLicences publishes the licences of what is served, as they ask for.
func (b *Bundle) addLicences(root string) error {
	var out bytes.Buffer
	for _, l := range []struct{ name, path string }{
		{"Inter (SIL Open Font License 1.1)", "fonts/LICENSE"},
		{"Lucide icons (ISC)", "icons/LICENSE"},
		{"Idiomorph (0BSD)", "src/vendor/idiomorph.LICENSE"},
	} {
		text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(l.path)))
		if err != nil {
			return fmt.Errorf("read licence of %s: %w", l.name, err)
		}
		fmt.Fprintf(&out, "%s\n%s\n\n%s\n\n", l.name, strings.Repeat("-", len(l.name)), bytes.TrimSpace(text))
	}
	b.add("licences.txt", out.Bytes())
	return nil
}
