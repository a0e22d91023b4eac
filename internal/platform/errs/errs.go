// Package errs is the one error type of the product.
//
// An error that a person or a program should read has a Kind (what sort of
// failure), a Code (a stable slug programs can switch on), a Message (one plain
// sentence that says what to do next) and, for input, one FieldError per field.
// Everything else is internal: logged once at the edge with a request id and
// shown as "something went wrong" without its cause.
//
// The edges map kinds, never texts: rest to a status and problem+json, pages to
// a re-rendered form, jobs to cancel, snooze or retry.
package errs

import (
	"errors"
	"fmt"
	"time"
)

// Kind is the sort of failure; the zero value is Internal.
type Kind uint8

const (
	Internal        Kind = iota
	Malformed            // the request could not be read: 400
	Unauthenticated      // no or unknown credentials: 401
	Forbidden            // known caller without the right: 403
	NotFound             // absent, or not visible to the caller: 404
	Conflict             // the state does not allow it: 409
	Stale                // If-Match or version does not match: 412
	TooLarge             // body over its limit: 413
	Invalid              // readable but refused, see Fields: 422
	Limited              // too many requests: 429
	Unavailable          // a dependency is away, try again: 503
	TooSlow              // the request did not come in its time: 408
	NoRoom               // the disk is full: 507
)

// FieldError names one refused field of the input.
type FieldError struct {
	Field   string `json:"field"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

// Error is a failure with a public face and, optionally, a private cause.
type Error struct {
	Kind       Kind
	Code       string
	Message    string
	Fields     []FieldError
	RetryAfter time.Duration // for Limited and Unavailable
	Data       map[string]any
	cause      error
}

func (e *Error) Error() string {
	if e.cause != nil {
		return e.Code + ": " + e.Message + ": " + e.cause.Error()
	}
	return e.Code + ": " + e.Message
}

func (e *Error) Unwrap() error { return e.cause }

// New makes an error people may read. The message is a full sentence.
func New(kind Kind, code, format string, args ...any) *Error {
	return &Error{Kind: kind, Code: code, Message: fmt.Sprintf(format, args...)}
}

// Wrap is New with a private cause for the log.
func Wrap(cause error, kind Kind, code, format string, args ...any) *Error {
	e := New(kind, code, format, args...)
	e.cause = cause
	return e
}

// Missing is the answer for an absent or invisible record; both look alike.
func Missing(what string) *Error {
	return New(NotFound, "not_found", "There is no %s with this id, or you may not see it.", what)
}

// Field makes an Invalid error about a single field.
func Field(field, code, format string, args ...any) *Error {
	var f Fields
	f.Add(field, code, format, args...)
	return f.asError()
}

// Fields collects refused fields so that a caller sees all of them at once.
type Fields []FieldError

// Add notes one refused field.
func (f *Fields) Add(field, code, format string, args ...any) {
	*f = append(*f, FieldError{Field: field, Code: code, Message: fmt.Sprintf(format, args...)})
}

// Err is nil when nothing was added.
func (f Fields) Err() error {
	if len(f) == 0 {
		return nil
	}
	return f.asError()
}

func (f Fields) asError() *Error {
	e := New(Invalid, "validation_failed", "%s", f[0].Message)
	if len(f) > 1 {
		e.Message = fmt.Sprintf("%d fields need a change.", len(f))
	}
	e.Fields = f
	return e
}

// As returns the *Error inside err, or nil.
func As(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return nil
}

// KindOf returns the kind of err; unknown errors are Internal.
func KindOf(err error) Kind {
	if e := As(err); e != nil {
		return e.Kind
	}
	return Internal
}
