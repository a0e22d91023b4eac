package rest

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"crm/internal/platform/errs"
)

// MaxBody is the largest JSON body; imports and files have limits of their own.
const MaxBody = 1 << 20

const (
	maxDepth = 32
	// maxKeys is what a batch of 1,000 records of a hundred fields has.
	maxKeys = 100_000
)

// Object reads the body as one JSON object. Duplicate keys, NUL and invalid
// UTF-8, nesting over 32 and trailing text are refused, because parsers disagree
// about them and a disagreement is a hole. Numbers stay json.Number.
func Object(r *http.Request) (map[string]any, error) {
	raw, err := body(r, MaxBody)
	if err != nil {
		return nil, err
	}
	v, err := parse(raw)
	if err != nil {
		return nil, err
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, errNotObject()
	}
	return m, nil
}

func errNotObject() error {
	return errs.New(errs.Malformed, "not_an_object", "The body must be a JSON object.")
}

// Decode reads the body into dst, a pointer to a struct, with the same strictness;
// unknown fields are errors, and a field in other letters ("Name" for "name") is
// unknown. An empty body leaves dst alone when the route allows none.
func Decode(r *http.Request, dst any) error { return DecodeUpTo(r, MaxBody, dst) }

// DecodeUpTo is Decode for a call whose body may be larger; limit is in bytes.
func DecodeUpTo(r *http.Request, limit int64, dst any) error {
	raw, err := body(r, limit)
	if err != nil {
		return err
	}
	if len(bytes.TrimSpace(raw)) == 0 {
		raw = []byte("{}")
	}
	v, err := parse(raw)
	if err != nil {
		return err
	}
	if _, ok := v.(map[string]any); !ok {
		return errNotObject()
	}
	if name := foreign(v, reflect.TypeOf(dst)); name != "" {
		return unknownField(name)
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	dec.UseNumber()
	if err := dec.Decode(dst); err != nil {
		return decodeError(err)
	}
	return nil
}

func body(r *http.Request, limit int64) ([]byte, error) {
	if err := isJSON(r); err != nil {
		return nil, err
	}
	raw, err := readUpTo(r, limit)
	if err != nil {
		return nil, err
	}
	if !utf8.Valid(raw) {
		return nil, errs.New(errs.Malformed, "not_utf8", "The body must be valid UTF-8.")
	}
	if loneSurrogate(raw) {
		return nil, errs.New(errs.Malformed, "lone_surrogate", `The body has half of a surrogate pair (\ud800 to \udfff alone), which is no character.`)
	}
	return raw, nil
}

// isJSON accepts application/json, and on PATCH the name of what it is. A request
// without a body needs no type.
func isJSON(r *http.Request) error {
	header := r.Header.Get("Content-Type")
	ct := MediaType(header)
	switch {
	case ct == "application/json", ct == "application/merge-patch+json" && r.Method == http.MethodPatch, header == "" && r.ContentLength == 0:
		return nil
	}
	return errs.New(errs.Malformed, "unsupported_media_type", "Send the body as application/json.")
}

// MediaType is the type a Content-Type names, without its parameters; "" when it says
// that the text is in another encoding than UTF-8, the only one JSON has. A proxy that
// believed such a word would judge another text than the one that is read here.
func MediaType(header string) string {
	ct, params, _ := mime.ParseMediaType(header)
	switch strings.ToLower(params["charset"]) {
	case "", "utf-8", "utf8", "us-ascii":
		return ct
	}
	return ""
}

func readUpTo(r *http.Request, limit int64) ([]byte, error) {
	raw, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, limit))
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return nil, tooLarge(limit)
	}
	if errs.As(err) != nil {
		return nil, err
	}
	if err != nil {
		return nil, errs.Wrap(err, errs.Malformed, "body_unreadable", "The body could not be read to its end.")
	}
	return raw, nil
}

func tooLarge(limit int64) error {
	return errs.New(errs.TooLarge, "body_too_large", "The body may have at most %d MiB.", limit>>20)
}

// loneSurrogate finds an escaped half of a surrogate pair. Go would put U+FFFD in
// its place, and what is stored would not be what was sent.
func loneSurrogate(raw []byte) bool {
	for i := 0; i+1 < len(raw); i++ {
		if raw[i] != '\\' {
			continue
		}
		half, ok := escaped(raw[i:])
		if !ok || !utf16.IsSurrogate(half) {
			i++ // whatever is escaped, a backslash included
			continue
		}
		other, ok := escaped(raw[min(i+6, len(raw)):])
		if !ok || utf16.DecodeRune(half, other) == utf8.RuneError {
			return true
		}
		i += 11
	}
	return false
}

// escaped reads \uXXXX at the start of raw.
func escaped(raw []byte) (rune, bool) {
	if len(raw) < 6 || raw[0] != '\\' || raw[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(raw[2:6]), 16, 16)
	return rune(n), err == nil
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
	switch tok := tok.(type) {
	case json.Delim:
		if depth >= maxDepth {
			return nil, errs.New(errs.Malformed, "too_deep", "JSON may nest at most %d deep.", maxDepth)
		}
		if tok == '{' {
			return object(dec, depth, keys)
		}
		return array(dec, depth, keys)
	case string:
		return tok, noNUL(tok)
	}
	return tok, nil
}

// noNUL holds for keys too: PostgreSQL keeps neither in jsonb.
func noNUL(text string) error {
	if strings.ContainsRune(text, 0) {
		return errs.New(errs.Malformed, "nul_character", "Texts may not contain NUL characters.")
	}
	return nil
}

func object(dec *json.Decoder, depth int, keys *int) (any, error) {
	out := map[string]any{}
	for dec.More() {
		tok, err := dec.Token()
		if err != nil {
			return nil, err
		}
		name := tok.(string)
		if err := noNUL(name); err != nil {
			return nil, err
		}
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
		return errs.Field(typ.Field, "wrong_type", "%s must be %s.", typ.Field, word(typ.Type))
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return unknownField(strings.Trim(name, `"`))
	}
	return errs.Wrap(err, errs.Malformed, "not_json", "The body is not valid JSON%s.", position(err))
}

func unknownField(name string) error {
	return errs.Field(name, "unknown_field", "There is no field %q here.", name)
}

// word is how a caller who knows JSON, not Go, calls a type.
func word(t reflect.Type) string {
	if reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
		return "a text" // ids and times, whatever they are made of
	}
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "a text"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Struct, reflect.Map:
		return "an object"
	case reflect.Float32, reflect.Float64:
		return "a number"
	}
	return "a whole number"
}

func position(err error) string {
	var syn *json.SyntaxError
	if errors.As(err, &syn) {
		return fmt.Sprintf(" (at byte %d)", syn.Offset)
	}
	return ""
}
