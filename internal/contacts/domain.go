package contacts

import (
	"strings"
	"unicode"
)

// Domain reads the bare internet domain out of what people paste into such a
// field: "https://www.Acme.com/about", "jane@acme.com" and "ACME.com." all give
// "acme.com". It returns "" when there is none.
func Domain(s string) string {
	s = strings.ToLower(strings.TrimSpace(s))
	if _, rest, ok := strings.Cut(s, "://"); ok {
		s = rest
	}
	if i := strings.IndexAny(s, "/?#"); i >= 0 {
		s = s[:i]
	}
	s = s[strings.LastIndexByte(s, '@')+1:]
	s, _, _ = strings.Cut(s, ":")
	s = strings.TrimPrefix(strings.TrimSuffix(s, "."), "www.")
	if !isDomain(s) {
		return ""
	}
	return s
}

// isDomain accepts letters of any script, since people paste such names as they
// read them. A name that ends in digits is an address, not a domain.
func isDomain(s string) bool {
	labels := strings.Split(s, ".")
	if len(labels) < 2 || len(s) > 253 {
		return false
	}
	for _, label := range labels {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, r := range label {
			if r != '-' && !unicode.IsLetter(r) && !unicode.IsDigit(r) {
				return false
			}
		}
	}
	last := labels[len(labels)-1]
	return strings.IndexFunc(last, unicode.IsLetter) >= 0
}

// sharedHosts carry the pages of many companies; taken for a domain, one of them
// would make all of those companies the same.
var sharedHosts = map[string]bool{
	"facebook.com": true, "m.facebook.com": true, "instagram.com": true, "linkedin.com": true, "x.com": true, "twitter.com": true,
	"youtube.com": true, "tiktok.com": true, "pinterest.com": true, "xing.com": true, "github.com": true, "medium.com": true,
	"sites.google.com": true, "google.com": true, "maps.google.com": true, "linktr.ee": true, "bit.ly": true, "yelp.com": true,
	"etsy.com": true, "ebay.com": true, "amazon.com": true, "wikipedia.org": true, "en.wikipedia.org": true, "crunchbase.com": true,
	"github.io": true, "wordpress.com": true, "blogspot.com": true, "wixsite.com": true, "notion.site": true, "t.me": true, "wa.me": true,
}

func sharedHost(domain string) bool { return sharedHosts[domain] }
