package liquid

import "strings"

// escape makes a value harmless for its place in the HTML.
func escape(s string, how escapeMode) string {
	switch how {
	case escapeURL:
		s = safeURL(s)
	case escapeURLPart:
		s = withoutScheme(s)
	case escapeCSS:
		s = safeCSS(s)
	}
	return escapeHTML(s)
}

// schemes are the ones that make sense in a mail. cid names an embedded image.
var schemes = map[string]bool{"http": true, "https": true, "mailto": true, "tel": true, "sms": true, "cid": true}

// safeURL lets addresses with a known scheme and relative ones pass; all others become "#", which leads nowhere.
func safeURL(s string) string {
	s = strings.TrimSpace(dropControls(s))
	scheme, _, found := cutScheme(s)
	if found && !schemes[strings.ToLower(scheme)] {
		return "#"
	}
	return s
}

// withoutScheme keeps a value in the middle of an address from turning what stands before it into a scheme.
func withoutScheme(s string) string {
	s = dropControls(s)
	end := strings.IndexAny(s, "/?#")
	if end < 0 {
		end = len(s)
	}
	return strings.ReplaceAll(s[:end], ":", "%3A") + s[end:]
}

// cutScheme splits at a colon that comes before any path, query or fragment.
func cutScheme(s string) (scheme, rest string, found bool) {
	i := strings.IndexAny(s, ":/?#")
	if i < 0 || s[i] != ':' {
		return "", s, false
	}
	return s[:i], s[i+1:], true
}

// dropControls removes what browsers ignore inside addresses and attackers use to hide "java\nscript:".
func dropControls(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f {
			return -1
		}
		return r
	}, s)
}

// safeCSS passes colours, sizes and font names; anything that could end a declaration or call a function is dropped.
func safeCSS(s string) string {
	for _, r := range s {
		ok := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune(" #%.,_-", r)
		if !ok {
			return ""
		}
	}
	return s
}
