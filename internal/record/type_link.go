package record

import (
	"github.com/google/uuid"

	"crm/internal/platform/id"
)

// idType points to another record, a user or a team by UUID. That the target
// exists in the same tenant is the job of a composite foreign key.
type idType struct{ name string }

func (t idType) Name() string    { return t.name }
func (idType) Columns() []string { return []string{"uuid"} }
func (idType) Scan(c []cell) any { return c[0].uuid() }
func (idType) Args(v any) []any  { return []any{v} }
func (idType) Ops() []Op         { return []Op{Eq, Ne, In, NotIn, IsNull, Gt, Gte, Lt, Lte} }
func (idType) Text(v any) string { return v.(uuid.UUID).String() }
func (idType) AppendJSON(dst []byte, v any) []byte {
	dst = append(dst, '"')
	u := v.(uuid.UUID)
	dst = append(dst, u.String()...)
	return append(dst, '"')
}

func (t idType) Parse(f *Field, raw any) (any, error) {
	s, ok := raw.(string)
	if !ok {
		return nil, wrongType(f, "an id")
	}
	return t.ParseText(f, s)
}

func (idType) ParseText(f *Field, s string) (any, error) {
	u, ok := id.Parse(s)
	if !ok {
		return nil, refuse(f, "not_an_id", "%s must be an id (a UUID).", f.Label)
	}
	return u, nil
}
