package importinghttp

import (
	"net/http"

	"github.com/google/uuid"

	"crm/internal/platform/rest"
	"crm/internal/record/importing"
)

func (h *HTTP) preview(w http.ResponseWriter, r *http.Request) error {
	p, err := h.look(w, r)
	if err != nil {
		return err
	}
	return rest.JSON(w, http.StatusOK, showPreview(p))
}

// wirePreview is a preview as the API shows it. Mapping can be sent back as it is.
type wirePreview struct {
	UploadID   *uuid.UUID          `json:"upload_id"`
	Object     string              `json:"object"`
	FileName   string              `json:"file_name"`
	FileBytes  int64               `json:"file_bytes"`
	Format     string              `json:"format"`
	Encoding   string              `json:"encoding"`
	Delimiter  string              `json:"delimiter"`
	Sheet      string              `json:"sheet"`
	Sheets     []string            `json:"sheets"`
	Preset     string              `json:"preset"`
	Remembered bool                `json:"remembered"`
	Key        string              `json:"key"`
	Columns    []wireSeen          `json:"columns"`
	Looked     int                 `json:"rows_looked_at"`
	Mapping    map[string]*string  `json:"mapping"`
	Warnings   []importing.Warning `json:"warnings"`
}

type wireSeen struct {
	Column     string        `json:"column"`
	Field      *string       `json:"field"`
	How        importing.How `json:"how"`
	Confidence float64       `json:"confidence"`
	Samples    []string      `json:"samples"`
	Filled     int           `json:"filled"`
	Misfits    int           `json:"misfits"`
}

func showPreview(p *importing.Preview) wirePreview {
	out := wirePreview{
		UploadID: p.Upload, Object: p.Object, FileName: p.FileName, FileBytes: p.FileBytes, Format: "csv", Encoding: p.Dialect.Encoding, Delimiter: p.Dialect.Delimiter,
		Sheet: p.Sheet, Sheets: orNone(p.Sheets), Preset: p.Preset, Remembered: p.Remembered, Key: p.Key, Columns: []wireSeen{}, Mapping: map[string]*string{}, Warnings: orNone(p.Warnings),
	}
	if p.Sheet != "" {
		out.Format = "xlsx"
	}
	for _, c := range p.Columns {
		field := nilIfEmpty(c.Field)
		out.Columns = append(out.Columns, wireSeen{c.Heading, field, c.How, c.Confidence, orNone(c.Samples), c.Filled, c.Misfits})
		out.Looked = c.Looked
		if c.How == importing.Made { // it does not exist yet; create_fields makes it again
			continue
		}
		out.Mapping[c.Heading] = field
	}
	return out
}

func orNone[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
