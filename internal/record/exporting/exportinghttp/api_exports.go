package exportinghttp

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/google/uuid"

	"crm/internal/platform/errs"
	"crm/internal/platform/rest"
	"crm/internal/record/exporting"
)

// wire is an export as the API shows it.
type wire struct {
	ID         uuid.UUID        `json:"id"`
	Object     string           `json:"object"`
	Format     exporting.Format `json:"format"`
	State      exporting.State  `json:"state"`
	Rows       int64            `json:"rows"`
	Total      *int64           `json:"total"`
	Bytes      int64            `json:"bytes"`
	Query      string           `json:"query"`
	Fields     []string         `json:"fields"`
	FileName   string           `json:"file_name"`
	Error      *string          `json:"error"`
	CreatedAt  time.Time        `json:"created_at"`
	CreatedBy  *uuid.UUID       `json:"created_by"`
	StartedAt  *time.Time       `json:"started_at"`
	FinishedAt *time.Time       `json:"finished_at"`
	ExpiresAt  *time.Time       `json:"expires_at"`
}

func show(e *exporting.Export) wire {
	out := wire{
		ID: e.ID, Object: e.Object, Format: e.Format, State: e.State, Rows: e.Rows, Total: e.Total, Bytes: e.Bytes, Query: e.Query.Encode(), Fields: e.Fields, FileName: e.FileName(),
		CreatedAt: e.CreatedAt.UTC(), CreatedBy: e.CreatedBy, StartedAt: utc(e.StartedAt), FinishedAt: utc(e.FinishedAt), ExpiresAt: utc(e.ExpiresAt),
	}
	if e.Error != "" {
		out.Error = &e.Error
	}
	return out
}

func utc(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	u := t.UTC()
	return &u
}

// request is the body of POST /exports.
type request struct {
	Object string           `json:"object"`
	Format exporting.Format `json:"format"`
	Filter json.RawMessage  `json:"filter"`
	Q      string           `json:"q"`
	Sort   string           `json:"sort"`
	Fields []string         `json:"fields"`
	Trash  bool             `json:"trash"`
	View   string           `json:"view"`
}

func (in request) options() (exporting.Options, error) {
	if in.View != "" && uuid.Validate(in.View) != nil {
		return exporting.Options{}, errs.Field("view", "not_an_id", "view is the id of a saved view.")
	}
	q := url.Values{}
	if err := exporting.ReadFilter(in.Filter, q); err != nil {
		return exporting.Options{}, err
	}
	for key, v := range map[string]string{"q": in.Q, "sort": in.Sort, "view": in.View} {
		if v != "" {
			q.Set(key, v)
		}
	}
	if in.Trash {
		q.Set("trash", "true")
	}
	return exporting.Options{Object: in.Object, Format: in.Format, Query: q, Fields: in.Fields}, nil
}

func (h *HTTP) create(w http.ResponseWriter, r *http.Request) error {
	var in request
	if err := rest.Decode(r, &in); err != nil {
		return err
	}
	opts, err := in.options()
	if err != nil {
		return err
	}
	e, err := h.exports.Create(r.Context(), opts)
	if err != nil {
		return err
	}
	w.Header().Set("Location", "/api/v1/exports/"+e.ID.String())
	return rest.JSON(w, http.StatusAccepted, show(e))
}

func (h *HTTP) list(w http.ResponseWriter, r *http.Request) error {
	limit := 50
	if s := r.URL.Query().Get("limit"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > 200 {
			return errs.New(errs.Malformed, "bad_parameter", "limit must be a whole number from 1 to 200.")
		}
		limit = n
	}
	found, err := h.exports.List(r.Context(), limit)
	if err != nil {
		return err
	}
	out := make([]wire, len(found))
	for i, e := range found {
		out[i] = show(e)
	}
	return rest.JSON(w, http.StatusOK, map[string]any{"data": out})
}

func (h *HTTP) get(w http.ResponseWriter, r *http.Request) error {
	e, err := h.find(r)
	if err != nil {
		return err
	}
	return rest.JSON(w, http.StatusOK, show(e))
}

func (h *HTTP) find(r *http.Request) (*exporting.Export, error) {
	id, err := rest.PathID(r, "id")
	if err != nil {
		return nil, err
	}
	return h.exports.Get(r.Context(), id)
}

func (h *HTTP) cancel(w http.ResponseWriter, r *http.Request) error {
	id, err := rest.PathID(r, "id")
	if err != nil {
		return err
	}
	e, err := h.exports.Cancel(r.Context(), id)
	if err != nil {
		return err
	}
	return rest.JSON(w, http.StatusOK, show(e))
}

func (h *HTTP) file(w http.ResponseWriter, r *http.Request) error {
	e, err := h.find(r)
	if err != nil {
		return err
	}
	return serve(w, r, h.exports, e)
}

// serve streams the file of an export.
func serve(w http.ResponseWriter, r *http.Request, s *exporting.Service, e *exporting.Export) error {
	f, err := s.Open(r.Context(), e)
	if err != nil {
		return err
	}
	defer f.Close()
	header := w.Header()
	header.Set("Content-Type", e.Format.MediaType())
	header.Set("Content-Disposition", `attachment; filename="`+e.FileName()+`"`)
	header.Set("Content-Length", strconv.FormatInt(e.Bytes, 10))
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Cache-Control", "private, no-store")
	if _, err := io.Copy(w, f); err != nil && r.Context().Err() == nil {
		return err
	}
	return nil
}
