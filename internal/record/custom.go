package record

import (
	"context"
	"encoding/json"
	"regexp"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/db"
	"crm/internal/platform/errs"
	"crm/internal/platform/id"
)

// customLocal bounds how long another replica may miss a new custom field;
// customShared how long Redis keeps a tenant's set.
const (
	customLocal  = 5 * time.Second
	customShared = 10 * time.Minute
)

// customSet is a tenant's custom fields; only the rows travel through Redis.
type customSet struct {
	Rows []CustomField

	fields map[string][]*Field // by object
}

// UnmarshalJSON also builds the fields, so that a set from Redis is whole.
func (c *customSet) UnmarshalJSON(raw []byte) error {
	var rows struct{ Rows []CustomField }
	if err := json.Unmarshal(raw, &rows); err != nil {
		return err
	}
	*c = *newCustomSet(rows.Rows)
	return nil
}

func newCustomSet(rows []CustomField) *customSet {
	c := &customSet{Rows: rows, fields: map[string][]*Field{}}
	for _, r := range rows {
		t, ok := FieldType(r.Type)
		if !ok {
			continue
		}
		f := &Field{Name: r.Name, Label: r.Label, Column: r.Name, Type: t, Custom: true}
		for _, o := range r.Options {
			f.Options = append(f.Options, Option{Value: o, Label: humanise(o)})
		}
		c.fields[r.Object] = append(c.fields[r.Object], f)
	}
	return c
}

// customTypes are the field types a custom field may have.
var customTypes = map[string]bool{
	"text": true, "long_text": true, "integer": true, "decimal": true, "percent": true, "boolean": true, "date": true,
	"datetime": true, "money": true, "select": true, "list": true, "url": true, "email": true, "phone": true,
}

func (k *Kernel) customFields(ctx context.Context, object string) ([]*Field, error) {
	a, err := auth.Must(ctx)
	if err != nil {
		return nil, err
	}
	load := k.loadCustom
	if ctx.Value(addingKey{}) == nil { // fields being added may never commit
		load = func(ctx context.Context) (*customSet, error) { return k.custom.Get(ctx, a.TenantID, "", k.loadCustom) }
	}
	set, err := load(ctx)
	if err != nil {
		return nil, err
	}
	return set.fields[object], nil
}

func (k *Kernel) loadCustom(ctx context.Context) (*customSet, error) {
	var list []CustomField
	q := db.Query{SQL: `select object, name, label, type, options from custom_fields where tenant_id = app_tenant() order by object, name`}
	err := k.DB.Read(ctx, q, func(rows pgx.Rows) error {
		var err error
		list, err = pgx.CollectRows(rows, pgx.RowToStructByPos[CustomField])
		return err
	})
	if err != nil {
		return nil, err
	}
	return newCustomSet(list), nil
}

type addingKey struct{}

// CustomField is a field a tenant adds to an object.
type CustomField struct {
	Object  string
	Name    string
	Label   string
	Type    string
	Options []string
}

var customName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)

const maxCustomFields = 500

// AddCustomFields makes fields and journals them. A field that exists with the
// same type is left alone, so that an import can be repeated.
func (k *Kernel) AddCustomFields(ctx context.Context, fields []CustomField) error {
	a, _, err := auth.Require(ctx, "custom_field", auth.Create)
	if err != nil {
		return err
	}
	for _, f := range fields {
		if err := k.checkCustom(f); err != nil {
			return err
		}
	}
	err = k.DB.Tx(context.WithValue(ctx, addingKey{}, true), func(ctx context.Context, tx pgx.Tx) error {
		for _, f := range fields {
			if err := k.addCustomField(ctx, tx, f); err != nil {
				return err
			}
		}
		db.AfterCommit(ctx, func() { k.custom.Forget(ctx, a.TenantID, "") })
		return nil
	})
	return err
}

func (k *Kernel) checkCustom(f CustomField) error {
	if _, ok := k.objects[f.Object]; !ok {
		return errs.Field("object", "unknown_object", "There is no object called %q.", f.Object)
	}
	if !customName.MatchString(f.Name) {
		return errs.Field("name", "bad_name", "A field name is lower case letters, digits and _, like contract_end.")
	}
	if !customTypes[f.Type] {
		return errs.Field("type", "unknown_type", "There is no field type %q.", f.Type)
	}
	return nil
}

func (k *Kernel) addCustomField(ctx context.Context, tx pgx.Tx, f CustomField) error {
	a, err := auth.Must(ctx)
	if err != nil {
		return err
	}
	if f.Label == "" {
		f.Label = humanise(f.Name)
	}
	var n int
	if err := tx.QueryRow(ctx, `select count(*) from custom_fields where tenant_id = $1 and object = $2`, a.TenantID, f.Object).Scan(&n); err != nil {
		return err
	}
	if n >= maxCustomFields {
		return errs.New(errs.Conflict, "too_many_fields", "%s already has %d custom fields, which is the most.", f.Object, maxCustomFields)
	}
	fid := id.New()
	options := f.Options
	if options == nil {
		options = []string{}
	}
	tag, err := tx.Exec(ctx, `insert into custom_fields (tenant_id, id, object, name, label, type, options, created_at)
	  values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (tenant_id, object, name) do nothing`,
		a.TenantID, fid, f.Object, f.Name, f.Label, f.Type, options, k.Now().UTC())
	if err != nil || tag.RowsAffected() == 0 {
		return err
	}
	_, err = k.Emit(ctx, tx, "custom_field", fid, "created", map[string]any{"object": f.Object, "name": f.Name, "type": f.Type})
	return err
}

// CustomName turns a heading such as "Emp. var rate" into a field name.
func CustomName(heading string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(heading) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "_"):
			b.WriteByte('_')
		}
	}
	s := strings.Trim(b.String(), "_")
	if s == "" || (s[0] >= '0' && s[0] <= '9') {
		s = "f_" + s
	}
	return s[:min(len(s), 63)]
}
