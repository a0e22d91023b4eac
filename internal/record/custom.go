package record

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/cache"
	"crm/internal/platform/db"
)

// customLocal bounds how long another replica may miss a new custom field;
// customShared how long Redis keeps a tenant's set. A save planned with an old set is
// found out when it writes, and begins again (see queueGuard).
const (
	customLocal  = 5 * time.Second
	customShared = 10 * time.Minute
)

// CustomField is a field a tenant adds to an object.
type CustomField struct {
	ID        uuid.UUID
	Object    string
	Name      string
	Label     string
	Type      string   // one of CustomTypes
	Options   []string // values of a select or multi_select
	DeletedAt *time.Time
	FieldSettings
}

// FieldSettings are the rules of a custom field; they are kept as one document.
type FieldSettings struct {
	Help     string            `json:"help,omitempty"`
	Section  string            `json:"section,omitempty"`
	Position int               `json:"position,omitempty"`
	Required bool              `json:"required,omitempty"`
	Unique   bool              `json:"unique,omitempty"`
	Indexed  bool              `json:"indexed,omitempty"`
	Min      string            `json:"min,omitempty"`
	Max      string            `json:"max,omitempty"`
	Pattern  string            `json:"pattern,omitempty"`
	Labels   map[string]string `json:"labels,omitempty"` // of options, by value
	Target   string            `json:"target,omitempty"` // of a relation
	// Default is the JSON value a new record gets when it names none.
	Default json.RawMessage `json:"default,omitempty"`
	// RequiredWhen is a filter; the field is needed on records it matches.
	RequiredWhen json.RawMessage `json:"required_when,omitempty"`
	Formula      string          `json:"formula,omitempty"`
	RollUp       *RollUp         `json:"roll_up,omitempty"`
	AutoNumber   *AutoNumber     `json:"auto_number,omitempty"`
	// Result is the type of what a formula or roll-up computes; set by the product.
	Result string `json:"result,omitempty"`
	// Pending: existing records do not all have their value yet.
	Pending bool `json:"pending,omitempty"`
}

// AutoNumber gives each new record the next number: Prefix and at least Digits
// digits. Numbers of refused saves may be left out, never given twice.
type AutoNumber struct {
	Prefix string `json:"prefix,omitempty"`
	Digits int    `json:"digits,omitempty"`
	Start  int64  `json:"start,omitempty"` // the first number, 1 when 0
}

// customSet is a tenant's custom fields; rows and version travel through Redis, the
// definitions are made from them on first use.
type customSet struct {
	Rows    []CustomField
	Objects []customObject // the tenant's own, archived ones too
	Version int64

	once   sync.Once
	made   []*Object          // of the living Objects
	byWord map[string]*Object // by name and by plural, which never are the same word

	mu       sync.Mutex
	defs     map[string]*Definition // by object
	rollUps  []*rollUp
	compiled bool // rollUps are made
}

// UnmarshalJSON reads a set from Redis.
func (c *customSet) UnmarshalJSON(raw []byte) error {
	var in struct {
		Rows    []CustomField
		Objects []customObject
		Version int64
	}
	if err := json.Unmarshal(raw, &in); err != nil {
		return err
	}
	c.Rows, c.Objects, c.Version, c.defs = in.Rows, in.Objects, in.Version, map[string]*Definition{}
	return nil
}

// definition is the object's definition with the fields of the set.
func (c *customSet) definition(o *Object) *Definition {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.definitionLocked(o)
}

func (c *customSet) definitionLocked(o *Object) *Definition {
	if d := c.defs[o.Def.Name]; d != nil {
		return d
	}
	var fields []*Field
	var hidden []string
	for i := range c.Rows {
		row := &c.Rows[i]
		if row.Object != o.Def.Name {
			continue
		}
		if row.DeletedAt != nil || !o.k.leads(c, row) {
			hidden = append(hidden, row.Name)
			continue
		}
		// A row of a later release, or broken by hand, is left out rather than
		// bringing every page of the tenant down.
		if f, err := row.field(); err == nil {
			fields = append(fields, f)
		}
	}
	d := *o.Def.WithCustom(fields)
	d.set, d.hidden, d.narrow = c, hidden, &narrowings{}
	d.showOwnFields()
	if len(fields) > 0 {
		d.rules.compile(&d, o.k.Now)
	}
	c.defs[o.Def.Name] = &d
	return &d
}

// field makes the description of a row.
func (r *CustomField) field() (*Field, error) {
	t, ok := valueType(r.Type, r.Result)
	if !ok {
		return nil, errUnknownType(r.Type)
	}
	f := &Field{
		ID: r.ID, Name: r.Name, Label: r.Label, Help: r.Help, Column: r.Name, Type: t, Custom: true, Required: r.Required, Unique: r.Unique,
		Indexed: r.Indexed || r.Unique, indexed: (r.Indexed || r.Unique) && !r.Pending, Section: r.Section, Position: r.Position,
		Target: r.Target, Constraint: Constraint{Min: r.Min, Max: r.Max, Pattern: r.Pattern}, settings: r.FieldSettings,
	}
	if t.Name() != r.Type {
		f.Kind = r.Type
	}
	f.ReadOnly = f.Computed() || f.Kind == "auto_number"
	switch t.Name() {
	case "user", "team", "file":
		f.Target = t.Name()
	}
	for _, o := range r.Options {
		label := r.Labels[o]
		if label == "" {
			label = humanise(o)
		}
		f.Options = append(f.Options, Option{Value: o, Label: label})
	}
	if err := f.compile(f); err != nil {
		return nil, err
	}
	return f, f.readDefault(r.Default)
}

func (f *Field) readDefault(raw json.RawMessage) error {
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	err := dec.Decode(&v)
	if err == nil {
		f.Default, err = parseValue(f, v)
	}
	return err
}

func (k *Kernel) customSet(ctx context.Context) (*customSet, error) {
	a, err := auth.Must(ctx)
	if err != nil {
		return nil, err
	}
	if db.Marked(ctx, definingKey{}) { // what is being changed may never commit
		return k.loadCustom(ctx)
	}
	set, err := k.custom.Get(ctx, cache.Key{Tenant: a.TenantID}, k.loadCustom)
	if err != nil {
		return nil, err
	}
	if floor, ok := k.fieldsSeen.Load(a.TenantID); ok && set.Version < floor.(int64) {
		k.custom.Forget(ctx, a.TenantID, "")
		return k.loadCustom(ctx)
	}
	return set, nil
}

func (k *Kernel) loadCustom(ctx context.Context) (*customSet, error) {
	out := &customSet{defs: map[string]*Definition{}}
	queries := []db.Query{
		{SQL: `select coalesce((select version from custom_field_versions where tenant_id = app_tenant()), 0)`},
		{SQL: `select id, object, name, label, type, options, deleted_at, settings from custom_fields where tenant_id = app_tenant() order by object, name`},
		{SQL: `select name, plural, label, label_plural, coalesce(icon, ''), owned, deleted_at is not null from custom_objects where tenant_id = app_tenant() order by label_plural, name`},
	}
	// The version is read first: fields that are newer than it only cost a retry.
	err := k.DB.ReadMany(ctx, queries, func(i int, rows pgx.Rows) error {
		for rows.Next() {
			if i == 0 {
				if err := rows.Scan(&out.Version); err != nil {
					return err
				}
				continue
			}
			if i == 2 {
				var o customObject
				if err := rows.Scan(&o.Name, &o.Plural, &o.Label, &o.LabelPlural, &o.Icon, &o.Owned, &o.Archived); err != nil {
					return err
				}
				out.Objects = append(out.Objects, o)
				continue
			}
			var f CustomField
			if err := rows.Scan(&f.ID, &f.Object, &f.Name, &f.Label, &f.Type, &f.Options, &f.DeletedAt, &f.FieldSettings); err != nil {
				return err
			}
			out.Rows = append(out.Rows, f)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// definingKey marks transactions that change the tenant's fields or objects.
type definingKey struct{}

// CustomFields lists the tenant's custom fields, hidden ones too, by object and name.
func (k *Kernel) CustomFields(ctx context.Context) ([]CustomField, error) {
	set, err := k.customSet(ctx)
	if err != nil {
		return nil, err
	}
	// Those that the actor's role hides are not there for it.
	return slices.DeleteFunc(slices.Clone(set.Rows), func(f CustomField) bool {
		return slices.Contains(fieldLimits(ctx, f.Object), "custom."+f.Name+":"+string(auth.Read))
	}), nil
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
