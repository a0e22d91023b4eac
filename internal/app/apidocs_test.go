package app_test

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"crm/internal/app/apptest"
)

// TestEveryCallIsInThePagesOfTheAPI reads the pages as a visitor does and looks for
// each call of the document, with a body that is JSON.
func TestEveryCallIsInThePagesOfTheAPI(t *testing.T) {
	t.Parallel()
	env := apptest.New(t)
	var doc struct {
		Paths map[string]map[string]struct {
			OperationID string
			Tags        []string
		}
	}
	if err := json.Unmarshal(env.Do(t, "", "GET", "/api/openapi.json", nil, nil).Raw, &doc); err != nil {
		t.Fatal(err)
	}
	pages := map[string]string{"": htmlOf(t, env, "/api/docs")}
	for path, verbs := range doc.Paths {
		for _, op := range verbs {
			tag := op.Tags[0]
			if pages[tag] == "" {
				pages[tag] = htmlOf(t, env, "/api/docs/"+tag)
			}
			if !strings.Contains(pages[tag], `id="`+op.OperationID+`"`) || !strings.Contains(pages[""], "/api/docs/"+tag+"#"+op.OperationID) {
				t.Errorf("%s (%s) is not shown", op.OperationID, path)
			}
		}
	}
	bodies := regexp.MustCompile(`(?s)<textarea[^>]*>(.*?)</textarea>`)
	for tag, page := range pages {
		if len(page) > 400_000 {
			t.Errorf("the page of %s has %d bytes", tag, len(page))
		}
		for _, m := range bodies.FindAllStringSubmatch(page, -1) {
			if body := strings.ReplaceAll(m[1], "&#34;", `"`); !json.Valid([]byte(body)) {
				t.Errorf("%s: an example is no JSON:\n%s", tag, body)
			}
		}
	}
	if a := env.Do(t, "", "GET", "/api/docs/nothing", nil, nil); a.Status != http.StatusNotFound {
		t.Errorf("an unknown subject is answered %d", a.Status)
	}
}

func htmlOf(t *testing.T, env *apptest.Env, path string) string {
	t.Helper()
	a := env.Do(t, "", "GET", path, nil, nil)
	if a.Status != http.StatusOK {
		t.Fatalf("%s: %d", path, a.Status)
	}
	return string(a.Raw)
}
