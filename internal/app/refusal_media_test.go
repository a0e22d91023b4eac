package app_test

import (
	"net/http"
	"strings"
	"testing"
)

// wrongMedia are types in which nobody sends JSON, and one that says it is in another
// encoding than JSON has. Uploads are multipart and refuse the others.
var wrongMedia = []string{"", "text/plain", "application/xml", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded", "application/json; charset=utf-16"}

// TestOnlyJSONIsJSON sends a good body under a wrong name to every route that takes
// one: it is refused as such before anything is done. A page of another site can send
// the plain types without asking first, so this is also what keeps such pages out.
func TestOnlyJSONIsJSON(t *testing.T) {
	t.Parallel()
	r := newRefusals(t)
	cases := 0
	for _, c := range r.routes() {
		if c.Body == nil {
			continue
		}
		cases++
		good := []byte(`{}`)
		if !c.Upload {
			good = encode(t, r.good(c))
		}
		for _, media := range wrongMedia {
			if expected := c.Upload && strings.HasPrefix(media, "multipart/") || c.Browser && strings.Contains(media, "form"); expected {
				continue // files, and the forms of other sites' pages
			}
			a := r.send(t, r.caller.Key, c.Method, r.address(t, c, r.own), media, good)
			if a.Status != http.StatusUnsupportedMediaType || a.JSON["code"] != "unsupported_media_type" {
				t.Errorf("%s as %q: %d %.200s", c, media, a.Status, a.Raw)
			}
			r.judge(t, c.String()+" as "+media, "", a)
		}
	}
	if cases < 80 {
		t.Errorf("only %d routes take a body", cases)
	}
}
