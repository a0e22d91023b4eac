package importinghttp

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"unicode/utf8"

	"github.com/google/uuid"

	"crm/internal/platform/errs"
	"crm/internal/platform/id"
	"crm/internal/record/importing"
)

const (
	maxUpload = importing.MaxFile + 4<<20 // the file, its neighbours, and what multipart adds
	maxField  = 1 << 20
	maxParts  = 50
)

// receive streams the form and begins the import, of the file in it or of one that
// waits since a preview.
func (h *HTTP) receive(w http.ResponseWriter, r *http.Request) (*importing.Import, error) {
	f, err := h.readForm(w, r)
	if err != nil {
		return nil, err
	}
	if f.waiting != uuid.Nil {
		return h.imports.FromKept(r.Context(), f.waiting, f.opts)
	}
	return h.imports.Begin(r.Context(), f.upload, f.opts)
}

// look streams the form and answers what an import of it would do.
func (h *HTTP) look(w http.ResponseWriter, r *http.Request) (*importing.Preview, error) {
	f, err := h.readForm(w, r)
	if err != nil {
		return nil, err
	}
	if f.waiting != uuid.Nil {
		return h.imports.PreviewKept(r.Context(), f.waiting, f.opts)
	}
	return h.imports.Preview(r.Context(), f.upload, f.opts, f.keep)
}

// readForm streams the form: small fields into the options, the file to its store.
func (h *HTTP) readForm(w http.ResponseWriter, r *http.Request) (*form, error) {
	if ct, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || ct != "multipart/form-data" {
		return nil, errs.New(errs.Malformed, "unsupported_media_type", "Send the file as multipart/form-data.")
	}
	if r.ContentLength > maxUpload {
		return nil, fileTooLarge()
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxUpload)
	parts, err := r.MultipartReader()
	if err != nil {
		return nil, errs.Wrap(err, errs.Malformed, "bad_multipart", "The form could not be read.")
	}
	f := &form{h: h, r: r}
	if err := f.read(parts); err != nil {
		f.discard()
		return nil, err
	}
	switch {
	case f.upload == nil && f.waiting == uuid.Nil:
		return nil, errs.Field("file", "required", "Send the file in the field file.")
	case f.upload != nil && f.waiting != uuid.Nil:
		f.discard()
		return nil, errs.Field("upload", "two_files", "Send a file or name an upload, not both.")
	}
	return f, nil
}

func fileTooLarge() error {
	return errs.New(errs.TooLarge, "file_too_large", "A file may have at most %d MiB. Split it and import the parts.", importing.MaxFile>>20)
}

type form struct {
	h      *HTTP
	r      *http.Request
	opts   importing.Options
	upload *importing.Upload
	seen   map[string]bool

	waiting uuid.UUID // the upload of a preview
	keep    bool
}

func (f *form) discard() {
	if f.upload != nil {
		f.h.imports.Discard(f.r.Context(), f.upload)
	}
}

func (f *form) read(parts *multipart.Reader) error {
	f.seen = map[string]bool{}
	for range maxParts {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return unreadable(err)
		}
		err = f.take(part)
		if err != nil {
			return err
		}
	}
	return errs.New(errs.Malformed, "too_many_parts", "The form has too many fields.")
}

func unreadable(err error) error {
	if tooLarge(err) {
		return fileTooLarge()
	}
	if errs.As(err) != nil {
		return err
	}
	return errs.Wrap(err, errs.Malformed, "bad_multipart", "The form could not be read to its end.")
}

func (f *form) take(part *multipart.Part) error {
	name := part.FormName()
	if f.seen[name] {
		return errs.Field(name, "duplicate_field", "The field %q stands twice in the form.", name)
	}
	f.seen[name] = true
	if name == "file" {
		f.opts.FileName = part.FileName()
		err := f.h.imports.Check(f.r.Context(), f.opts)
		if err != nil && f.opts.Object != "" {
			return err // known before half a gigabyte has come
		}
		f.upload, err = f.h.imports.Store(f.r.Context(), limited{part})
		return err
	}
	raw, err := io.ReadAll(io.LimitReader(part, maxField+1))
	switch {
	case err != nil:
		return unreadable(err)
	case len(raw) > maxField:
		return errs.Field(name, "too_long", "The field %s may have at most 1 MiB.", name)
	case !utf8.Valid(raw) || bytes.IndexByte(raw, 0) >= 0:
		return errs.New(errs.Malformed, "not_utf8", "The form must be valid UTF-8 without NUL.")
	}
	return f.set(name, string(raw))
}

// limited turns the limit on the body into the answer people understand.
type limited struct{ r io.Reader }

func (l limited) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	if err != nil && tooLarge(err) {
		err = fileTooLarge()
	}
	return n, err
}

func (f *form) set(name, value string) (err error) {
	switch name {
	case "object":
		f.opts.Object = value
	case "mode":
		f.opts.Mode = importing.Mode(value)
	case "key":
		f.opts.Key = value
	case "preset":
		f.opts.Preset = value
	case "dry_run":
		f.opts.DryRun, err = truth(name, value)
	case "create_fields":
		f.opts.CreateFields, err = truth(name, value)
	case "create_options":
		f.opts.CreateOptions, err = truth(name, value)
	case "blank":
		f.opts.Blank = importing.Blank(value)
	case "sheet":
		f.opts.Sheet = value
	case "keep":
		f.keep, err = truth(name, value)
	case "upload":
		var ok bool
		if f.waiting, ok = id.Parse(value); !ok {
			err = errs.Field(name, "not_an_id", "upload is the id that a preview answered.")
		}
	case "mapping":
		f.opts.Mapping, err = mapping(value)
	default:
		err = errs.Field(name, "unknown_field", "There is no field %q here.", name)
	}
	return err
}

func truth(name, value string) (bool, error) {
	switch value {
	case "true", "1", "yes", "on":
		return true, nil
	case "", "false", "0", "no", "off":
		return false, nil
	}
	return false, errs.Field(name, "wrong_type", "%s must be true or false.", name)
}

func mapping(value string) (map[string]any, error) {
	if value == "" || value == "null" {
		return nil, nil
	}
	dec := json.NewDecoder(bytes.NewReader([]byte(value)))
	dec.UseNumber()
	var out map[string]any
	if err := dec.Decode(&out); err != nil {
		return nil, errs.Field("mapping", "not_json", "mapping must be a JSON object of column and field.")
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errs.Field("mapping", "not_json", "mapping has text after its JSON object.")
	}
	return out, nil
}
