package leads

import (
	"context"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/db"
	"crm/internal/platform/errs"
	"crm/internal/record"
)

// Unconversion tells what was taken back. A conflict without a field is a record
// that was kept whole: somebody has worked on it since, or on one that needs it.
type Unconversion struct {
	LeadID    uuid.UUID
	Status    string // the state the lead went back to
	Reversed  int    // changes taken back, the lead's own included
	Conflicts []record.UndoConflict
}

// convertedInto are the objects a conversion is about. Whatever else came about by
// the way, such as a first pipeline, others may have come to use.
var convertedInto = []string{"lead", "account", "contact", "deal"}

// journalRow is one change of a conversion.
type journalRow struct {
	Seq      int64
	Object   string
	RecordID uuid.UUID
	Action   string
}

// Unconvert takes a conversion back: the lead returns to its former state, and
// what the conversion made goes to the bin unless it was worked on since. It
// needs the update right on the lead; the records are removed in the name of the
// conversion, so that whoever may convert may also take it back.
func (s *Service) Unconvert(ctx context.Context, leadID uuid.UUID) (*Unconversion, error) {
	var out *Unconversion
	err := s.k.DB.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		out = &Unconversion{LeadID: leadID, Conflicts: []record.UndoConflict{}}
		rows, batch, err := s.conversion(ctx, tx, leadID)
		if err != nil {
			return err
		}
		touched, err := s.touched(ctx, leadID, rows, batch)
		if err != nil {
			return err
		}
		if err := s.takeBack(ctx, rows, touched, leadID, out); err != nil {
			return err
		}
		lead, err := s.Leads.Get(record.Whole(ctx), leadID)
		if err != nil {
			return err
		}
		out.Status = lead.Status
		_, err = s.k.Emit(ctx, tx, "lead", leadID, actUnconverted, map[string]any{"batch_id": batch, "conflicts": len(out.Conflicts)})
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// conversion locks the lead and returns the journal rows of its conversion, last
// first: the lead's own, then what was made for it.
func (s *Service) conversion(ctx context.Context, tx pgx.Tx, leadID uuid.UUID) ([]journalRow, uuid.UUID, error) {
	a, _, err := auth.Require(ctx, "lead", auth.Update)
	if err != nil {
		return nil, uuid.Nil, err
	}
	if _, err := tx.Exec(ctx, lockLead, a.TenantID, leadID); err != nil {
		return nil, uuid.Nil, err
	}
	lead, err := s.Leads.Get(record.Whole(ctx), leadID)
	if err != nil {
		return nil, uuid.Nil, err
	}
	if lead.Status != StatusConverted || !lead.hasRecords() {
		return nil, uuid.Nil, errs.New(errs.Conflict, "not_converted", "This lead was not converted here. Change its status instead.")
	}
	var seq int64
	var batch uuid.UUID
	if err := tx.QueryRow(ctx, lastConversion, a.TenantID, leadID).Scan(&seq, &batch); err != nil {
		return nil, uuid.Nil, err
	}
	found, err := tx.Query(ctx, conversionRows, a.TenantID, batch, seq)
	if err != nil {
		return nil, uuid.Nil, err
	}
	rows, err := pgx.CollectRows(found, pgx.RowToStructByPos[journalRow])
	return slices.DeleteFunc(rows, func(r journalRow) bool { return !slices.Contains(convertedInto, r.Object) }), batch, err
}

// touched names the made records that somebody has worked on since.
func (s *Service) touched(ctx context.Context, leadID uuid.UUID, rows []journalRow, batch uuid.UUID) ([]uuid.UUID, error) {
	var made []uuid.UUID
	var objects []string
	first := rows[len(rows)-1].Seq
	for _, r := range rows {
		if r.RecordID != leadID {
			made, objects = append(made, r.RecordID), append(objects, r.Object)
		}
	}
	var out []uuid.UUID
	q := db.Query{SQL: touchedSince, Args: []any{auth.From(ctx).TenantID, made, first, batch, leadID, objects}}
	err := s.k.DB.Read(ctx, q, func(rows pgx.Rows) (err error) {
		out, err = pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
		return err
	})
	return out, err
}

// takeBack undoes the rows, last first. What was made later refers to what was
// made before it: once a deal is kept, so are its contact and its company.
func (s *Service) takeBack(ctx context.Context, rows []journalRow, touched []uuid.UUID, leadID uuid.UUID, out *Unconversion) error {
	full := auth.As(ctx, func(a *auth.Actor) { a.Grants = auth.AllGrants() })
	keep := false
	for _, r := range rows {
		as := full
		if r.RecordID == leadID {
			as = ctx // with the actor's own rights
		}
		keep = keep || slices.Contains(touched, r.RecordID)
		if keep {
			out.Conflicts = append(out.Conflicts, record.UndoConflict{Object: r.Object, RecordID: r.RecordID})
			continue
		}
		undone, err := s.k.Undo(as, r.Seq)
		if err != nil {
			return err
		}
		out.Reversed += undone.Reversed
		out.Conflicts = append(out.Conflicts, undone.Conflicts...)
	}
	return nil
}
