package rest_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"

	"crm/internal/platform/errs"
	"crm/internal/platform/rest"
)

func request(t *testing.T, body string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/things", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	return r
}

// refused checks status and code of an error.
func refused(t *testing.T, what string, err error, status int, code string) {
	t.Helper()
	e := errs.As(err)
	if e == nil || e.Code != code || rest.StatusOf(err) != status {
		t.Errorf("%s: %v, want %d %s", what, err, status, code)
	}
}

type thing struct {
	Name  string   `json:"name"`
	Count int      `json:"count"`
	Inner *inner   `json:"inner"`
	List  []inner  `json:"list"`
	Any   any      `json:"any"`
	Tags  []string `json:"tags"`
}

type inner struct {
	Key string `json:"key"`
}

func nested(n int) string {
	return `{"any":` + strings.Repeat("[", n-1) + "1" + strings.Repeat("]", n-1) + `}`
}

func TestBodiesParsersDisagreeAboutAreRefused(t *testing.T) {
	t.Parallel()
	keys := make([]string, 100_001)
	for i := range keys {
		keys[i] = `"` + strconv.FormatInt(int64(i), 36) + `":1`
	}
	tests := []struct{ name, body, code string }{
		{"duplicate key", `{"name":"a","name":"b"}`, "duplicate_key"},
		{"duplicate key by escape", `{"name":"a","n\u0061me":"b"}`, "duplicate_key"},
		{"duplicate key deep inside", `{"any":[{"k":1,"k":2}]}`, "duplicate_key"},
		{"33 deep", nested(33), "too_deep"},
		{"33 deep and empty", `{"any":` + strings.Repeat("[", 32) + strings.Repeat("]", 32) + `}`, "too_deep"},
		{"very deep", strings.Repeat(`{"a":`, 5000), "too_deep"},
		{"too many keys", "{" + strings.Join(keys, ",") + "}", "too_many_keys"},
		{"half a surrogate pair", `{"name":"a\ud83d"}`, "lone_surrogate"},
		{"the other half", `{"name":"\ude00 a"}`, "lone_surrogate"},
		{"two first halves", `{"name":"\ud83d\ud83d"}`, "lone_surrogate"},
		{"half a pair in a key", `{"any":{"\uD83D":1}}`, "lone_surrogate"},
		{"byte order mark", "\ufeff" + `{"name":"a"}`, "not_json"},
		{"NUL in a text", `{"name":"a\u0000b"}`, "nul_character"},
		{"NUL in a list", `{"tags":["a\u0000"]}`, "nul_character"},
		{"NUL in a key", `{"any":{"a\u0000b":1}}`, "nul_character"},
		{"invalid UTF-8", "{\"name\":\"a\xff\"}", "not_utf8"},
		{"trailing text", `{"name":"a"} true`, "not_json"},
		{"a second value", `{"name":"a"}{}`, "not_json"},
		{"trailing comma", `{"name":"a",}`, "not_json"},
		{"trailing comma in a list", `{"tags":["a",]}`, "not_json"},
		{"no comma", `{"name":"a" "count":1}`, "not_json"},
		{"no value", `{"name":}`, "not_json"},
		{"cut off", `{"name":"a"`, "not_json"},
		{"wrong bracket", `{"tags":["a"}`, "not_json"},
		{"comment", `{"name":"a"} // hello`, "not_json"},
		{"single quotes", `{'name':'a'}`, "not_json"},
		{"raw control character", "{\"name\":\"a\nb\"}", "not_json"},
		{"NaN", `{"count":NaN}`, "not_json"},
		{"a list", `[]`, "not_an_object"},
		{"a text", `"name"`, "not_an_object"},
		{"null", `null`, "not_an_object"},
	}
	for _, tt := range tests {
		_, err := rest.Object(request(t, tt.body))
		refused(t, "Object, "+tt.name, err, 400, tt.code)
		refused(t, "Decode, "+tt.name, rest.Decode(request(t, tt.body), &thing{}), 400, tt.code)
	}
}

func TestObjectKeepsNumbersAsTheyWereWritten(t *testing.T) {
	t.Parallel()
	m, err := rest.Object(request(t, ` {"n": 12345678901234567890.10, "s": "é€", "p": "\ud83d\ude00 \\ud83d", "o": {"l": [true, null]}} `))
	if err != nil || m["n"] != json.Number("12345678901234567890.10") || m["s"] != "é€" || m["p"] != `😀 \ud83d` {
		t.Errorf("%v, %v", m, err)
	}
	if _, err := rest.Object(request(t, nested(32))); err != nil {
		t.Errorf("32 deep: %v", err)
	}
	_, err = rest.Object(request(t, ""))
	refused(t, "an empty body", err, 400, "not_json")
}

func TestDecodeReadsWhatTheRouteKnows(t *testing.T) {
	t.Parallel()
	var in thing
	err := rest.Decode(request(t, `{"name":"a","count":3,"inner":{"key":"k"},"list":[{"key":"l"}],"any":{"Key":1,"KEY":2}}`), &in)
	if err != nil || in.Name != "a" || in.Count != 3 || in.Inner.Key != "k" || in.List[0].Key != "l" {
		t.Errorf("%+v, %v", in, err)
	}
	untouched := thing{Name: "before"}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/things", nil)
	if err := rest.Decode(r, &untouched); err != nil || untouched.Name != "before" {
		t.Errorf("an empty body: %+v, %v", untouched, err)
	}
}

func TestDecodeNamesTheFieldItRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct{ body, field, code string }{
		{`{"nome":"a"}`, "nome", "unknown_field"},
		{`{"Name":"a"}`, "Name", "unknown_field"},
		{`{"name":"a","NAME":"b"}`, "NAME", "unknown_field"},
		{`{"inner":{"KEY":"b"}}`, "KEY", "unknown_field"},
		{`{"list":[{"key":"a","Key":"b"}]}`, "Key", "unknown_field"},
		{`{"count":"three"}`, "count", "wrong_type"},
		{`{"count":1.5}`, "count", "wrong_type"},
		{`{"count":99999999999999999999}`, "count", "wrong_type"},
		{`{"name":["a"]}`, "name", "wrong_type"},
	}
	var withID struct {
		ID uuid.UUID `json:"id"`
	}
	if err := rest.Decode(request(t, `{"id":7}`), &withID); errs.As(err) == nil || errs.As(err).Message != "id must be a text." {
		t.Errorf("a number for an id: %v", err)
	}
	for _, tt := range tests {
		err := rest.Decode(request(t, tt.body), &thing{})
		e := errs.As(err)
		if e == nil || rest.StatusOf(err) != 422 || len(e.Fields) != 1 || e.Fields[0].Field != tt.field || e.Fields[0].Code != tt.code {
			t.Errorf("%s: %v, want %s on %q", tt.body, err, tt.code, tt.field)
		}
	}
}

func TestOnlyJSONIsRead(t *testing.T) {
	t.Parallel()
	for _, ct := range []string{"", "text/plain", "application/x-www-form-urlencoded", "application/json-patch+json", "multipart/form-data; boundary=x", "application/json; charset=utf-16", "application/json; charset=latin1"} {
		r := request(t, `{"name":"a"}`)
		r.Header.Set("Content-Type", ct)
		_, err := rest.Object(r)
		refused(t, "Content-Type "+ct, err, 415, "unsupported_media_type")
	}
	for _, ct := range []string{"application/json", "application/json; charset=utf-8", "Application/JSON"} {
		r := request(t, `{"name":"a"}`)
		r.Header.Set("Content-Type", ct)
		if _, err := rest.Object(r); err != nil {
			t.Errorf("Content-Type %s: %v", ct, err)
		}
	}
}

func TestABodyOverOneMebibyteIsTooLarge(t *testing.T) {
	t.Parallel()
	frame := `{"name":""}`
	fits := `{"name":"` + strings.Repeat("a", rest.MaxBody-len(frame)) + `"}`
	if _, err := rest.Object(request(t, fits)); err != nil {
		t.Errorf("exactly 1 MiB: %v", err)
	}
	_, err := rest.Object(request(t, fits+" "))
	refused(t, "1 MiB and one byte", err, 413, "body_too_large")
}
