package importinghttp

import (
	"errors"
	"log/slog"
	"net/http"
	"strconv"

	"github.com/google/uuid"

	"crm/internal/platform/errs"
	"crm/internal/platform/rest"
	"crm/internal/record/importing"
)

func (h *HTTP) create(w http.ResponseWriter, r *http.Request) error {
	imp, err := h.receive(w, r)
	if err != nil {
		return err
	}
	w.Header().Set("Location", "/api/v1/imports/"+imp.ID.String())
	return rest.JSON(w, http.StatusAccepted, show(imp))
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
	found, err := h.imports.List(r.Context(), limit)
	if err != nil {
		return err
	}
	out := make([]wire, len(found))
	for i, imp := range found {
		out[i] = show(imp)
	}
	return rest.JSON(w, http.StatusOK, map[string]any{"data": out})
}

func (h *HTTP) get(w http.ResponseWriter, r *http.Request) error {
	return h.answer(w, r, func(id uuid.UUID) (*importing.Import, error) { return h.imports.Get(r.Context(), id) })
}

func (h *HTTP) cancel(w http.ResponseWriter, r *http.Request) error {
	return h.answer(w, r, func(id uuid.UUID) (*importing.Import, error) { return h.imports.Cancel(r.Context(), id) })
}

func (h *HTTP) undo(w http.ResponseWriter, r *http.Request) error {
	return h.answer(w, r, func(id uuid.UUID) (*importing.Import, error) { return h.imports.Undo(r.Context(), id) })
}

func (h *HTTP) answer(w http.ResponseWriter, r *http.Request, act func(uuid.UUID) (*importing.Import, error)) error {
	id, err := rest.PathID(r, "id")
	if err != nil {
		return err
	}
	imp, err := act(id)
	if err != nil {
		return err
	}
	return rest.JSON(w, http.StatusOK, show(imp))
}

// errors streams; the answer is begun with its first bytes, so that an unknown id
// still gets a problem. A list that breaks off says so in its last row, since its
// status is out by then.
func (h *HTTP) errors(w http.ResponseWriter, r *http.Request) error {
	id, err := rest.PathID(r, "id")
	if err != nil {
		return err
	}
	out := &lateAnswer{w: w, name: "errors-" + id.String() + ".csv"}
	err = h.imports.WriteErrors(r.Context(), id, out)
	if err == nil || !out.begun {
		return err
	}
	slog.ErrorContext(r.Context(), "list of refused rows broke off", "import_id", id, "error", err)
	_, err = out.Write([]byte("\n\"The list is not complete. Load it again.\"\n"))
	return err
}

type lateAnswer struct {
	w     http.ResponseWriter
	name  string
	begun bool
}

func (l *lateAnswer) Write(p []byte) (int, error) {
	if !l.begun {
		l.begun = true
		header := l.w.Header()
		header.Set("Content-Type", "text/csv; charset=utf-8; header=present")
		header.Set("Content-Disposition", `attachment; filename="`+l.name+`"`)
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Cache-Control", "no-store")
	}
	return l.w.Write(p)
}

// tooLarge tells the reader's limit from a broken connection.
func tooLarge(err error) bool {
	var limit *http.MaxBytesError
	return errors.As(err, &limit)
}
