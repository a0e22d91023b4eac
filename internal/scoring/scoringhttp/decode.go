package scoringhttp

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"crm/internal/platform/errs"
	"crm/internal/platform/id"
	"crm/internal/platform/rest"
)

const (
	// bulkBody is the largest body of a bulk call: ten thousand rows of forty fields.
	bulkBody = 16 << 20
	// rowDepth is a row, its custom fields, and a value that is a list or an amount.
	rowDepth = 6
)

// bulk is the body of POST /scoring/score.
type bulk struct {
	object string
	ids    []uuid.UUID
	rows   []map[string]any
	hasIDs bool
}

// decodeBulk reads the body with the strictness of all others (no duplicate keys, no unknown keys, no text after the
// end) but limits of its own. Numbers stay json.Number.
func decodeBulk(r *http.Request) (*bulk, error) {
	if rest.MediaType(r.Header.Get("Content-Type")) != "application/json" {
		return nil, errs.New(errs.Malformed, "unsupported_media_type", "Send the body as application/json.")
	}
	raw, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, bulkBody))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return nil, errs.New(errs.TooLarge, "body_too_large", "The body may have at most 16 MiB. Send the rows in parts.")
	}
	if err != nil {
		return nil, errs.Wrap(err, errs.Malformed, "body_unreadable", "The body could not be read to its end.")
	}
	if !utf8.Valid(raw) {
		return nil, errs.New(errs.Malformed, "not_utf8", "The body must be valid UTF-8.")
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	v, err := strict(dec, 0)
	if err == nil {
		err = atEnd(dec)
	}
	if err != nil {
		return nil, malformed(err)
	}
	body, ok := v.(map[string]any)
	if !ok {
		return nil, errs.New(errs.Malformed, "not_an_object", "The body must be a JSON object.")
	}
	return readBulk(body)
}

func atEnd(dec *json.Decoder) error {
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errs.New(errs.Malformed, "not_json", "The body has text after its JSON value.")
	}
	return nil
}

func malformed(err error) error {
	if errs.As(err) != nil {
		return err
	}
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return errs.Wrap(err, errs.Malformed, "not_json", "The body is not valid JSON (at byte %d). NaN and Infinity are no JSON; send null for a missing number.", syntax.Offset)
	}
	return errs.Wrap(err, errs.Malformed, "not_json", "The body is not valid JSON.")
}

func readBulk(body map[string]any) (*bulk, error) {
	out := &bulk{}
	var refused errs.Fields
	for key := range body {
		if key != "object" && key != "ids" && key != "rows" {
			refused.Add(key, "unknown_field", "There is no field %q here.", key)
		}
	}
	var ok bool
	if out.object, ok = body["object"].(string); !ok {
		refused.Add("object", "required", "Say which object to score, such as lead.")
	}
	ids, rows := body["ids"], body["rows"]
	if (ids == nil) == (rows == nil) {
		refused.Add("rows", "required", "Send either ids or rows.")
	}
	if err := refused.Err(); err != nil {
		return nil, err
	}
	out.hasIDs = ids != nil
	if out.hasIDs {
		out.readIDs(ids, &refused)
	} else {
		out.readRows(rows, &refused)
	}
	return out, refused.Err()
}

func (b *bulk) readIDs(raw any, refused *errs.Fields) {
	list, ok := raw.([]any)
	if !ok {
		refused.Add("ids", "wrong_type", "ids must be a list of UUIDs.")
		return
	}
	for i, v := range list {
		text, _ := v.(string)
		u, ok := id.Parse(text)
		if !ok {
			refused.Add(fmt.Sprintf("ids[%d]", i), "wrong_type", "ids must be a list of UUIDs.")
			return
		}
		b.ids = append(b.ids, u)
	}
}

func (b *bulk) readRows(raw any, refused *errs.Fields) {
	list, ok := raw.([]any)
	if !ok {
		refused.Add("rows", "wrong_type", "rows must be a list of objects.")
		return
	}
	for i, v := range list {
		row, ok := v.(map[string]any)
		if !ok {
			refused.Add(fmt.Sprintf("rows[%d]", i), "wrong_type", "rows must be a list of objects.")
			return
		}
		b.rows = append(b.rows, row)
	}
}

// strict reads one JSON value and refuses what parsers disagree about.
func strict(dec *json.Decoder, depth int) (any, error) {
	tok, err := dec.Token()
	if err != nil {
		return nil, err
	}
	if depth > rowDepth {
		return nil, errs.New(errs.Malformed, "too_deep", "Rows may nest at most %d deep.", rowDepth)
	}
	switch tok := tok.(type) {
	case json.Delim:
		if tok == '{' {
			return strictObject(dec, depth)
		}
		return strictArray(dec, depth)
	case string:
		if strings.ContainsRune(tok, 0) {
			return nil, errs.New(errs.Malformed, "nul_character", "Texts may not contain NUL characters.")
		}
	}
	return tok, nil
}

func strictObject(dec *json.Decoder, depth int) (any, error) {
	out := map[string]any{}
	for dec.More() {
		tok, err := dec.Token()
		if err != nil {
			return nil, err
		}
		name, _ := tok.(string)
		if _, twice := out[name]; twice {
			return nil, errs.New(errs.Malformed, "duplicate_key", "The key %q stands twice in one object.", name)
		}
		if out[name], err = strict(dec, depth+1); err != nil {
			return nil, err
		}
	}
	_, err := dec.Token()
	return out, err
}

func strictArray(dec *json.Decoder, depth int) (any, error) {
	out := []any{}
	for dec.More() {
		v, err := strict(dec, depth+1)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	_, err := dec.Token()
	return out, err
}
