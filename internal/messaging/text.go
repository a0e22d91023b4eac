package messaging

import (
	"strings"

	"github.com/k3a/html2text"
)

// plainText is the HTML body for those who read plain mail: links keep their
// address, lists their marks.
func plainText(html string) string {
	if html == "" {
		return ""
	}
	return strings.TrimSpace(html2text.HTML2TextWithOptions(html, html2text.WithUnixLineBreaks(), html2text.WithListSupport()))
}

// hasMarkup tells a body written as HTML from one typed as plain text.
func hasMarkup(s string) bool {
	for i := strings.IndexByte(s, '<'); i >= 0 && i+1 < len(s); {
		c := s[i+1]
		if c == '/' || c == '!' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' {
			return true
		}
		next := strings.IndexByte(s[i+1:], '<')
		if next < 0 {
			return false
		}
		i += 1 + next
	}
	return false
}
