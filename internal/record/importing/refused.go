package importing

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/db"
)

// errorPage is how many refused rows are read at a time.
const errorPage = 1000

// WriteErrors writes the refused rows as CSV: the columns of the file as they were,
// and import_error with the reason, which an import ignores. Mended, the file can be
// imported again as it is.
func (s *Service) WriteErrors(ctx context.Context, id uuid.UUID, w io.Writer) error {
	imp, err := s.Get(ctx, id)
	if err != nil {
		return err
	}
	out := csv.NewWriter(w)
	head := make([]string, 0, len(imp.Columns)+1)
	for _, c := range imp.Columns {
		if !isErrorColumn(c.Heading) {
			head = append(head, harmless(c.Heading))
		}
	}
	if err := out.Write(append(head, errorColumn)); err != nil {
		return err
	}
	for after := int64(0); ; {
		n, last, err := s.errorPage(ctx, imp, after, out)
		if err != nil {
			return err
		}
		if after = last; n < errorPage {
			break
		}
	}
	out.Flush()
	return out.Error()
}

func (s *Service) errorPage(ctx context.Context, imp *Import, after int64, out *csv.Writer) (n int, last int64, err error) {
	a, err := auth.Must(ctx)
	if err != nil {
		return 0, 0, err
	}
	q := db.Query{SQL: sqlReadErrors, Args: []any{a.TenantID, imp.ID, after, errorPage}}
	err = s.k.DB.Read(ctx, q, func(rows pgx.Rows) error {
		var reason string
		var raw []byte
		_, err := pgx.ForEachRow(rows, []any{&last, &reason, &raw}, func() error {
			n++
			return writeRefused(out, imp.Columns, raw, reason)
		})
		return err
	})
	if err != nil {
		return 0, 0, fmt.Errorf("read refused rows: %w", err)
	}
	return n, last, nil
}

// errorColumn holds the reason of a refused row.
const errorColumn = "import_error"

func isErrorColumn(heading string) bool { return squeeze(heading) == squeeze(errorColumn) }

func writeRefused(out *csv.Writer, columns []Column, raw []byte, reason string) error {
	var cells []string
	if err := json.Unmarshal(raw, &cells); err != nil {
		return err
	}
	row := make([]string, 0, max(len(cells), len(columns))+1)
	for i := range max(len(cells), len(columns)) {
		cell := ""
		if i < len(cells) {
			cell = cells[i]
		}
		if i >= len(columns) || !isErrorColumn(columns[i].Heading) {
			row = append(row, harmless(cell))
		}
	}
	return out.Write(append(row, harmless(reason)))
}

// harmless keeps a spreadsheet from running a cell as a formula. Plain numbers stay
// numbers; the import takes the mark off again.
func harmless(cell string) string {
	if cell == "" || strings.IndexByte("=+-@\t\r", cell[0]) < 0 || isPlainNumber(cell) {
		return cell
	}
	return "'" + cell
}
