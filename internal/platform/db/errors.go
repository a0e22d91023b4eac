package db

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"crm/internal/platform/errs"
)

// MapError turns the failures a caller can act on into errs.Error. Constraint
// names carry the field: <table>_<field>_key and <table>_<field>_fkey.
func MapError(err error) error {
	if err == nil || errs.As(err) != nil {
		return err
	}
	if errors.Is(err, pgx.ErrNoRows) {
		return errs.Wrap(err, errs.NotFound, "not_found", "There is no such record, or you may not see it.")
	}
	if Unsure(err) {
		return outcomeUnknown(err)
	}
	if errors.Is(err, ErrRetry) {
		return errs.Wrap(err, errs.Conflict, "busy", "The fields were being changed at the same moment. Try again.")
	}
	var pg *pgconn.PgError
	var connecting *pgconn.ConnectError // whatever the server says then, it is not about a statement
	if errors.As(err, &connecting) || !errors.As(err, &pg) || lost(err) {
		return mapConnection(err)
	}
	switch pg.Code {
	case "23505":
		field := constraintField(pg, "_key")
		e := errs.Wrap(err, errs.Conflict, "already_exists", "Another record already has this %s.", field)
		e.Fields = []errs.FieldError{{Field: field, Code: "not_unique", Message: "Another record already has this value."}}
		return e
	case "23503":
		field := constraintField(pg, "_fkey")
		e := errs.Wrap(err, errs.Invalid, "validation_failed", "%s points to a record that does not exist.", field)
		e.Fields = []errs.FieldError{{Field: field, Code: "unknown_reference", Message: "There is no such record."}}
		return e
	case "23514", "23502", "22001", "22003", "22P02", "22008", "22007":
		field := pg.ColumnName
		if field == "" {
			field = constraintField(pg, "_check")
		}
		e := errs.Wrap(err, errs.Invalid, "validation_failed", "%s has a value that cannot be stored.", field)
		e.Fields = []errs.FieldError{{Field: field, Code: "invalid", Message: "This value cannot be stored."}}
		return e
	case "22021", "22P05":
		return errs.Wrap(err, errs.Malformed, "not_text", "A text holds characters that cannot be stored. Send valid UTF-8 without NUL.")
	case "57014":
		return errs.Wrap(err, errs.Unavailable, "timeout", "That took too long. Narrow the filter and try again.")
	case "40P01", "40001":
		return errs.Wrap(err, errs.Conflict, "busy", "Somebody changed the same record at the same moment. Try again.")
	case "57P01", "57P02", "57P03", "53300", "53100", "53200":
		return unavailable(err)
	}
	return err
}

func mapConnection(err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	var connErr *pgconn.ConnectError
	if lost(err) || errors.As(err, &connErr) || errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "unexpected EOF") {
		return unavailable(err)
	}
	return err
}

// outcomeUnknown does not say "try again": the change may stand.
func outcomeUnknown(err error) error {
	e := errs.Wrap(err, errs.Unavailable, "outcome_unknown",
		"The database went away while the change was being saved, so it may be there or not. Look before you repeat it; a repeat with the same Idempotency-Key is safe.")
	e.RetryAfter = 2 * time.Second
	return e
}

func unavailable(err error) error {
	e := errs.Wrap(err, errs.Unavailable, "database_unavailable", "The database is not answering. Try again in a few seconds.")
	e.RetryAfter = 2 * time.Second
	return e
}

// constraintField finds the field in a constraint name such as
// contacts_email_key; it falls back to the whole name.
func constraintField(pg *pgconn.PgError, suffix string) string {
	name := strings.TrimSuffix(pg.ConstraintName, suffix)
	return strings.TrimPrefix(name, pg.TableName+"_")
}
