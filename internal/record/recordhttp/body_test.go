package recordhttp_test

import (
	"bytes"
	"mime/multipart"
	"strings"
	"testing"
)

func TestBodiesThatAreNoGoodJSONAreRefused(t *testing.T) {
	t.Parallel()
	c := open(t)
	for _, tt := range []struct{ body, code string }{
		{`{"last_name":"a","last_name":"b"}`, "duplicate_key"},
		{`{"custom":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`, "too_deep"},
		{`{"last_name":"a\u0000"}`, "nul_character"},
		{"{\"last_name\":\"a\x00\"}", "not_json"},
		{"{\"last_name\":\"\xff\"}", "not_utf8"},
		{`{"last_name":"\ud800"}`, "lone_surrogate"},
		{"\ufeff{}", "not_json"},
		{`{"last_name":"a"} x`, "not_json"},
		{`[]`, "not_an_object"},
		{`{`, "not_json"},
		{``, "not_json"},
	} {
		c.refused(400, tt.code, "POST", "/contacts", []byte(tt.body))
	}
	for _, n := range []string{"1e999", "99999999999999999999", "1.5", `"many"`, "-1e400"} {
		c.refused(422, "validation_failed", "POST", "/accounts", []byte(`{"name":"A","employees":`+n+`}`))
	}
	for _, amount := range []string{`{"amount":"1e3","currency":"EUR"}`, `{"amount":"1.234","currency":"EUR"}`, `{"amount":"99999999999999999999","currency":"EUR"}`, `{"amount":"1","currency":"XX"}`, `12`} {
		c.refused(422, "validation_failed", "POST", "/deals", []byte(`{"name":"A","amount":`+amount+`}`))
	}
	if names(c.is(200, "GET", "/contacts", nil), "id") != "" {
		t.Error("a refused body left a record")
	}
}

func TestBodiesOfAnotherTypeOrSizeAreRefused(t *testing.T) {
	t.Parallel()
	c := open(t)
	for _, ct := range []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/xml", "nonsense;;", "application/merge-patch+json"} {
		c.refused(415, "unsupported_media_type", "POST", "/contacts", []byte(`{"last_name":"A"}`), "Content-Type", ct)
	}
	c.is(201, "POST", "/contacts", []byte(`{"last_name":"A"}`), "Content-Type", "Application/JSON; charset=UTF-8")
	c.refused(415, "unsupported_media_type", "POST", "/imports", []byte(`{}`))
	big := []byte(`{"last_name":"` + strings.Repeat("a", 1<<20) + `"}`)
	c.refused(413, "body_too_large", "POST", "/contacts", big)
	c.refused(413, "body_too_large", "POST", "/contacts", big, "Idempotency-Key", "big")
	rows := []byte(`{"rows":[{"last_name":"` + strings.Repeat("a", 2<<20) + `"}]}`)
	for _, key := range []string{"", "k1"} {
		if a := c.do("POST", "/scoring/score", rows, "Idempotency-Key", key); a.Status == 413 {
			t.Errorf("scoring takes 16 MiB, with a key as well: %s", a.Raw)
		}
	}
}

func TestAKeyedUploadIsReadOnceAndReplayed(t *testing.T) {
	t.Parallel()
	c := open(t)
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	_ = form.WriteField("object", "contacts")
	file, err := form.CreateFormFile("file", "people.csv")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = file.Write([]byte("last_name\n" + strings.Repeat("Ada Lovelace of London\n", 100_000))) // over the limit of JSON
	_ = form.Close()
	first := c.is(202, "POST", "/imports", body.Bytes(), "Content-Type", form.FormDataContentType(), "Idempotency-Key", "up")
	again := c.is(202, "POST", "/imports", body.Bytes(), "Content-Type", form.FormDataContentType(), "Idempotency-Key", "up")
	if again.Header.Get("Idempotency-Replayed") != "true" || !bytes.Equal(first.Raw, again.Raw) {
		t.Errorf("%s\n%s", first.Raw, again.Raw)
	}
}
