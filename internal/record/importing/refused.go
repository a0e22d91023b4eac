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
// and "error" with the reason. Mended, the file can be imported again as it is.
func (s *Service) WriteErrors(ctx context.Context, id uuid.UUID, w io.Writer) error {
	imp, err := s.Get(ctx, id)
	if err != nil {
		return err
	}
	out := csv.NewWriter(w)
	head := make([]string, 0, len(imp.Columns)+1)
	for _, c := range imp.Columns {
		head = append(head, harmless(c.Heading))
	}
	if err := out.Write(append(head, "error")); err != nil {
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
			return writeRefused(out, len(imp.Columns), raw, reason)
		})
		return err
	})
	if err != nil {
		return 0, 0, fmt.Errorf("read refused rows: %w", err)
	}
	return n, last, nil
}

func writeRefused(out *csv.Writer, width int, raw []byte, reason string) error {
	var cells []string
	if err := json.Unmarshal(raw, &cells); err != nil {
		return err
	}
	for len(cells) < width {
		cells = append(cells, "")
	}
	for i := range cells {
		cells[i] = harmless(cells[i])
	}
	return out.Write(append(cells, harmless(reason)))
}

// harmless keeps a spreadsheet from running a cell as a formula. Plain numbers stay
// numbers; the import takes the mark off again.
func harmless(cell string) string {
	if cell == "" || strings.IndexByte("=+-@\t\r", cell[0]) < 0 || isPlainNumber(cell) {
		return cell
	}
	return "'" + cell
}
