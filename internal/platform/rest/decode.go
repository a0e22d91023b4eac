package rest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"unicode/utf8"

	"crm/internal/platform/errs"
)

// MaxBody is the largest JSON body; imports and files have limits of their own.
const MaxBody = 1 << 20

const (
	maxDepth = 32
	maxKeys  = 10_000
)

// Object reads the body as one JSON object. Duplicate keys, NUL and invalid
// UTF-8, nesting over 32 and trailing text are refused, because parsers disagree
// about them and a disagreement is a hole. Numbers stay json.Number.
func Object(r *http.Request) (map[string]any, error) {
	raw, err := body(r)
	if err != nil {
		return nil, err
	}
	v, err := parse(raw)
	if err != nil {
		return nil, err
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, errs.New(errs.Malformed, "not_an_object", "The body must be a JSON object.")
	}
	return m, nil
}

// Decode reads the body into dst, with the same strictness; unknown fields are
// errors. An empty body leaves dst alone when the route allows none.
func Decode(r *http.Request, dst any) error {
	raw, err := body(r)
	if err != nil {
		return err
	}
	if len(bytes.TrimSpace(raw)) == 0 {
		raw = []byte("{}")
	}
	if _, err := parse(raw); err != nil {
		return err
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	dec.UseNumber()
	if err := dec.Decode(dst); err != nil {
		return decodeError(err)
	}
	return nil
}

func body(r *http.Request) ([]byte, error) {
	ct, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if ct != "application/json" && (ct != "" || r.ContentLength > 0) {
		return nil, errs.New(errs.Malformed, "unsupported_media_type", "Send the body as application/json.")
	}
	raw, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, MaxBody))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return nil, errs.New(errs.TooLarge, "body_too_large", "The body may have at most 1 MiB.")
	}
	if err != nil {
		return nil, errs.Wrap(err, errs.Malformed, "body_unreadable", "The body could not be read to its end.")
	}
	if !utf8.Valid(raw) {
		return nil, errs.New(errs.Malformed, "not_utf8", "The body must be valid UTF-8.")
	}
	return raw, nil
}

func parse(raw []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	keys := 0
	v, err := value(dec, 0, &keys)
	if err != nil {
		return nil, decodeError(err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errs.New(errs.Malformed, "not_json", "The body has text after its JSON value.")
	}
	return v, nil
}

func value(dec *json.Decoder, depth int, keys *int) (any, error) {
	tok, err := dec.Token()
	if err != nil {
		return nil, err
	}
	if depth > maxDepth {
		return nil, errs.New(errs.Malformed, "too_deep", "JSON may nest at most %d deep.", maxDepth)
	}
	switch tok := tok.(type) {
	case json.Delim:
		if tok == '{' {
			return object(dec, depth, keys)
		}
		return array(dec, depth, keys)
	case string:
		if strings.ContainsRune(tok, 0) {
			return nil, errs.New(errs.Malformed, "nul_character", "Texts may not contain NUL characters.")
		}
	}
	return tok, nil
}

func object(dec *json.Decoder, depth int, keys *int) (any, error) {
	out := map[string]any{}
	for dec.More() {
		tok, err := dec.Token()
		if err != nil {
			return nil, err
		}
		name := tok.(string)
		if _, twice := out[name]; twice {
			return nil, errs.New(errs.Malformed, "duplicate_key", "The key %q stands twice in one object.", name)
		}
		if *keys++; *keys > maxKeys {
			return nil, errs.New(errs.Malformed, "too_many_keys", "The body may have at most %d keys.", maxKeys)
		}
		if out[name], err = value(dec, depth+1, keys); err != nil {
			return nil, err
		}
	}
	_, err := dec.Token()
	return out, err
}

func array(dec *json.Decoder, depth int, keys *int) (any, error) {
	out := []any{}
	for dec.More() {
		v, err := value(dec, depth+1, keys)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	_, err := dec.Token()
	return out, err
}

func decodeError(err error) error {
	if errs.As(err) != nil {
		return err
	}
	var typ *json.UnmarshalTypeError
	if errors.As(err, &typ) {
		return errs.Field(typ.Field, "wrong_type", "%s must be a %s.", typ.Field, typ.Type)
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		name = strings.Trim(name, `"`)
		return errs.Field(name, "unknown_field", "There is no field %q here.", name)
	}
	return errs.Wrap(err, errs.Malformed, "not_json", "The body is not valid JSON%s.", position(err))
}

func position(err error) string {
	var syn *json.SyntaxError
	if errors.As(err, &syn) {
		return fmt.Sprintf(" (at byte %d)", syn.Offset)
	}
	return ""
}
