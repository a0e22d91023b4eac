// Package importinghttp serves imports over REST: upload, progress, the refused
// rows as CSV, cancel and undo.
//
// The upload is multipart/form-data and is streamed: nothing but its small fields is
// ever held in memory, and the parts may come in any order. It holds no rule; those
// are in package importing.
package importinghttp

import (
	"time"

	"github.com/google/uuid"

	"crm/internal/platform/rest"
	"crm/internal/record/importing"
)

// HTTP serves imports.
type HTTP struct {
	imports *importing.Service
}

// New makes the handlers of a service.
func New(s *importing.Service) *HTTP { return &HTTP{imports: s} }

// Routes is the table. Which right a call needs depends on the object of the
// import, so the table names none and the service asks.
func (h *HTTP) Routes() []rest.Route {
	ids := map[string]string{"id": "import"}
	one := rest.Ref("Import")
	return []rest.Route{
		{Method: "POST", Path: "/imports", Name: "imports.create", Summary: "Import a CSV or XLSX file of up to 512 MiB in the background", Tag: "imports", Upload: true, MaxBody: maxUpload, Status: 202, Body: uploadSchema, Answer: one, Handle: h.create},
		{Method: "POST", Path: "/imports/preview", Name: "imports.preview", Summary: "Look at a file: how it is written, its columns, and where they would go", Tag: "imports", Upload: true, MaxBody: maxUpload, Body: previewBody, Answer: previewSchema, Handle: h.preview},
		{
			Method: "GET", Path: "/imports", Name: "imports.list", Summary: "The newest imports", Tag: "imports", Params: []rest.Param{{Name: "limit", Description: "1 to 200.", Schema: rest.Int}},
			Answer: rest.Obj(map[string]rest.Schema{"data": rest.Array(one)}, "data"), Handle: h.list,
		},
		{Method: "GET", Path: "/imports/{id}", Name: "imports.get", Summary: "How far an import has come", Tag: "imports", IDs: ids, Answer: one, Handle: h.get},
		{Method: "GET", Path: "/imports/{id}/errors.csv", Name: "imports.errors", Summary: "The refused rows with their reasons, as CSV", Tag: "imports", IDs: ids, File: "text/csv", Handle: h.errors},
		{Method: "POST", Path: "/imports/{id}/cancel", Name: "imports.cancel", Summary: "Stop an import; rows that are in stay", Tag: "imports", IDs: ids, Answer: one, Handle: h.cancel},
		{Method: "POST", Path: "/imports/{id}/undo", Name: "imports.undo", Summary: "Take an import back", Tag: "imports", IDs: ids, Answer: one, Handle: h.undo},
	}
}

// Schemas are the OpenAPI components of the routes.
func Schemas() map[string]rest.Schema {
	count := rest.Int
	return map[string]rest.Schema{"Import": rest.Obj(map[string]rest.Schema{
		"id": rest.UUID, "object": rest.Str, "state": {"type": "string", "enum": []any{"queued", "running", "done", "failed", "cancelled"}},
		"file_name": rest.Str, "file_bytes": rest.Int, "preset": rest.Str, "mode": modeSchema, "key": rest.Str, "dry_run": rest.Bool, "create_fields": rest.Bool,
		"create_options": rest.Bool, "blank": blankSchema, "sheet": rest.Str, "objects": {"type": "object", "description": "What became of records of other objects in the rows.", "additionalProperties": map[string]any(countsSchema)},
		"sample": rest.Array(sampleSchema),
		"total":  rest.Nullable(rest.Int), "read": count, "created": count, "updated": count, "skipped": count, "failed": count, "rate": rest.Num,
		"columns":         rest.Array(rest.Obj(map[string]rest.Schema{"column": rest.Str, "field": rest.Nullable(rest.Str), "how": {"type": "string", "enum": []any{"asked", "exact", "guessed", "created", "skipped"}}}, "column", "field", "how")),
		"skipped_columns": rest.Array(rest.Str), "created_fields": rest.Array(rest.Str),
		"warnings": rest.Array(rest.Obj(map[string]rest.Schema{"field": rest.Str, "code": rest.Str, "message": rest.Str, "count": rest.Int}, "field", "code", "message", "count")),
		"error":    rest.Nullable(rest.Str), "undo": rest.Obj(map[string]rest.Schema{"state": rest.Nullable(rest.Str), "reversed": rest.Int, "conflicts": rest.Array(rest.Schema{"type": "object"})}, "state", "reversed", "conflicts"),
		"created_at": rest.Time, "created_by": rest.Nullable(rest.UUID), "started_at": rest.Nullable(rest.Time), "finished_at": rest.Nullable(rest.Time),
	}, "id", "object", "state", "read", "created", "updated", "skipped", "failed", "rate")}
}

var modeSchema = rest.Schema{"type": "string", "enum": []any{"create", "update", "upsert"}}

var uploadSchema = rest.Obj(map[string]rest.Schema{
	"file": {"type": "string", "format": "binary", "description": "The CSV file."}, "object": rest.Str,
	"mapping": {"type": "string", "description": `JSON: column to field, to null, or to {"field": …, "values": {…}}. Absent: by heading.`},
	"mode":    modeSchema, "key": rest.Str, "dry_run": rest.Bool, "create_fields": rest.Bool, "create_options": rest.Bool, "preset": {"type": "string", "enum": presets()},
	"blank": blankSchema, "sheet": rest.Str, "upload": {"type": "string", "format": "uuid", "description": "Instead of file: the upload a preview kept."},
}, "object")

var blankSchema = rest.Schema{"type": "string", "enum": []any{"keep", "clear"}}

var countsSchema = rest.Obj(map[string]rest.Schema{"created": rest.Int, "updated": rest.Int, "failed": rest.Int}, "created", "updated", "failed")

var sampleSchema = rest.Obj(map[string]rest.Schema{
	"row": rest.Int, "fate": {"type": "string", "enum": []any{"created", "updated", "skipped", "failed"}}, "record_id": rest.Nullable(rest.UUID),
	"changes": {"type": "object", "description": "Field to [old, new]."}, "field": rest.Str, "reason": rest.Str,
}, "row", "fate", "changes")

var previewBody = rest.Obj(map[string]rest.Schema{
	"file": {"type": "string", "format": "binary"}, "object": rest.Str, "mapping": rest.Str, "preset": {"type": "string", "enum": presets()}, "sheet": rest.Str, "create_fields": rest.Bool,
	"keep": {"type": "boolean", "description": "Keep the file for a day under upload_id."}, "upload": rest.UUID,
}, "object")

var previewSchema = rest.Obj(map[string]rest.Schema{
	"upload_id": rest.Nullable(rest.UUID), "object": rest.Str, "file_name": rest.Str, "file_bytes": rest.Int, "preset": rest.Str, "remembered": rest.Bool, "key": rest.Str,
	"format":   {"type": "string", "enum": []any{"csv", "xlsx"}},
	"encoding": rest.Str, "delimiter": rest.Str, "sheet": rest.Str, "sheets": rest.Array(rest.Str),
	"columns": rest.Array(rest.Obj(map[string]rest.Schema{
		"column": rest.Str, "field": rest.Nullable(rest.Str), "how": rest.Str, "confidence": rest.Num, "samples": rest.Array(rest.Str), "filled": rest.Int, "misfits": rest.Int,
	}, "column", "field", "how", "confidence", "samples")),
	"rows_looked_at": rest.Int, "mapping": {"type": "object"}, "warnings": rest.Array(rest.Obj(map[string]rest.Schema{"field": rest.Str, "code": rest.Str, "message": rest.Str, "count": rest.Int}, "field", "code", "message", "count")),
}, "object", "columns", "warnings")

func presets() []any {
	var out []any
	for _, p := range importing.Presets {
		out = append(out, p)
	}
	return out
}

// wire is an import as the API shows it.
type wire struct {
	ID             uuid.UUID           `json:"id"`
	Object         string              `json:"object"`
	State          importing.State     `json:"state"`
	FileName       string              `json:"file_name"`
	FileBytes      int64               `json:"file_bytes"`
	Preset         string              `json:"preset"`
	Mode           importing.Mode      `json:"mode"`
	Key            string              `json:"key"`
	DryRun         bool                `json:"dry_run"`
	CreateFields   bool                `json:"create_fields"`
	CreateOptions  bool                `json:"create_options"`
	Blank          importing.Blank     `json:"blank"`
	Sheet          string              `json:"sheet"`
	Objects        any                 `json:"objects"`
	Sample         []importing.Sampled `json:"sample"`
	Total          *int64              `json:"total"`
	Read           int64               `json:"read"`
	Created        int64               `json:"created"`
	Updated        int64               `json:"updated"`
	Skipped        int64               `json:"skipped"`
	Failed         int64               `json:"failed"`
	Rate           float64             `json:"rate"`
	Columns        []wireColumn        `json:"columns"`
	SkippedColumns []string            `json:"skipped_columns"`
	CreatedFields  []string            `json:"created_fields"`
	Warnings       []importing.Warning `json:"warnings"`
	Error          *string             `json:"error"`
	Undo           wireUndo            `json:"undo"`
	CreatedAt      time.Time           `json:"created_at"`
	CreatedBy      *uuid.UUID          `json:"created_by"`
	StartedAt      *time.Time          `json:"started_at"`
	FinishedAt     *time.Time          `json:"finished_at"`
}

type wireColumn struct {
	Column string        `json:"column"`
	Field  *string       `json:"field"`
	How    importing.How `json:"how"`
}

type wireUndo struct {
	State     *string `json:"state"`
	Reversed  int64   `json:"reversed"`
	Conflicts any     `json:"conflicts"`
}

func show(i *importing.Import) wire {
	out := wire{
		ID: i.ID, Object: i.Object, State: i.State, FileName: i.FileName, FileBytes: i.FileBytes, Preset: i.Preset, Mode: i.Mode, Key: i.Key, DryRun: i.DryRun, CreateFields: i.CreateFields,
		CreateOptions: i.CreateOptions, Blank: i.Blank, Sheet: i.Sheet, Objects: i.Objects, Sample: i.Sample,
		Total: i.Total, Read: i.Read, Created: i.Created, Updated: i.Updated, Skipped: i.Skipped, Failed: i.Failed, Rate: float64(int64(i.Rate()*10)) / 10,
		SkippedColumns: i.SkippedColumns(), CreatedFields: i.CreatedFields(), Warnings: i.Warnings, Error: nilIfEmpty(i.Error),
		Undo:      wireUndo{nilIfEmpty(i.Undo.State), i.Undo.Reversed, i.Undo.Conflicts},
		CreatedAt: i.CreatedAt.UTC(), CreatedBy: i.CreatedBy, StartedAt: utc(i.StartedAt), FinishedAt: utc(i.FinishedAt),
	}
	for _, c := range i.Columns {
		out.Columns = append(out.Columns, wireColumn{c.Heading, nilIfEmpty(c.Field), c.How})
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

func nilIfEmpty(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
