package record

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"crm/internal/platform/money"
	"crm/internal/record/formula"
)

// Field describes one value of an object. It is made once and then only read.
type Field struct {
	Name     string
	Label    string
	Help     string
	Column   string
	Type     Type
	Target   string // object a relation points to
	Options  []Option
	Required bool
	Unique   bool // a lookup key for upsert; a unique index enforces it
	ReadOnly bool // set by the product, never by input
	History  bool // read-only, but an import may set it so history keeps its dates
	Search   bool // part of the search document
	Title    bool // part of the record's name
	Hidden   bool // secret: never leaves the kernel, never in the journal
	Cascade  bool // the record goes to the bin, and comes back, with what this relation points to
	Sticky   bool // true in any of the merged records stays true: a wish such as "do not contact"
	Default  any  // canonical value for a create that leaves it out
	Custom   bool // lives in the custom document under Name
	Constraint

	// Of custom fields only.
	ID       uuid.UUID // of the field itself
	Kind     string    // the declared type where it is more than Type, such as multi_select or formula
	Indexed  bool      // kept in custom_values
	Section  string    // heading it stands under, "" = More fields
	Position int       // place within the section, then by name

	indexed  bool // Indexed, and every record is in custom_values by now
	when     *Filter
	program  *formula.Program
	settings FieldSettings

	pos    int // index in Record.Values
	goPos  []int
	locked bool // read only for the role this definition is for
}

// TypeName is the declared type: multi_select, formula, roll_up and auto_number are
// more than the Type that holds their values.
func (f *Field) TypeName() string {
	if f.Kind != "" {
		return f.Kind
	}
	return f.Type.Name()
}

// Computed reports whether the product works the value out from others.
func (f *Field) Computed() bool { return f.Kind == "formula" || f.Kind == "roll_up" }

// Sortable reports whether lists may be ordered by the field.
func (f *Field) Sortable() bool {
	switch f.Type.Name() {
	case "list", "json", "address", "custom":
		return false
	}
	return !f.Custom && !f.Hidden
}

// columns are the SQL column names, in the order of Type.Columns.
func (f *Field) columns() []string {
	if len(f.Type.Columns()) == 2 {
		return []string{f.Column, f.Column + "_currency"}
	}
	return []string{f.Column}
}

// Definition describes an object: what the API, pages, import and search know of
// it. Standard objects get theirs from a struct; see Describe.
type Definition struct {
	Name        string // "deal"
	Plural      string // "deals": the path in the API and the table
	Label       string // "Deal"
	LabelPlural string
	// Table is what statements read from: the object's table, or the rows of one among
	// those of others (a tenant's own objects share a table). It always takes an alias.
	Table       string
	Fields      []*Field
	Owned       bool     // rows have owner_id and team_id, so scopes own and team apply
	Shared      bool     // rows say in sharing (private, team, all) who may see them; scopes only limit changing
	NoSearch    bool     // not part of global search
	Uncached    bool     // its rows are written past the kernel all the time (a ledger)
	System      bool     // settings of the tenant rather than records of people
	NoMerge     bool     // two of them are never the same thing
	DefaultSort string   // "-created_at" when empty
	ListFields  []string // columns a list page shows at first
	Icon        string   // of a tenant's own object, from the sprite

	// Match lists what a record has in common with its probable duplicates; it must
	// be pure. nil = the object knows no duplicates.
	Match   func(r *Record) []MatchKey
	Lenient bool     // duplicates are listed, but a create is never refused for them
	Links   *Links   // pointers to records beside the relation fields
	Details []Detail // tables that hold parts of a record, purged with it

	home string // the table rows are written to, where that is not Table
	only string // the object's name in home, whose rows alone are its own

	byName  map[string]*Field
	columns []string // every SQL column, fields in order
	offsets []int    // first column of each field
	goType  reflect.Type

	rules  *fieldRules // what saves must see to
	set    *customSet  // the tenant's fields this was made with; nil at start-up
	hidden []string    // custom fields in the bin, whose values are shown to nobody, or withheld

	whole  *Definition // what a narrowed definition was made of; nil = this is whole
	narrow *narrowings // the narrowed ones made of this; nil on those
}

// Base holds the fields every object has. Contexts embed it in their structs.
type Base struct {
	ID         uuid.UUID      `crm:"id,id,readonly"`
	ExternalID string         `crm:"external_id,text,unique" label:"External ID" help:"The record's id in another system; an import can find it again by this."`
	OwnerID    *uuid.UUID     `crm:"owner_id,user,target=user" label:"Owner"`
	TeamID     *uuid.UUID     `crm:"team_id,team,target=team" label:"Team"`
	Tags       []string       `crm:"tags,list"`
	Custom     map[string]any `crm:"custom,custom"`
	CreatedAt  time.Time      `crm:"created_at,datetime,readonly,history" label:"Created"`
	CreatedBy  *uuid.UUID     `crm:"created_by,user,readonly,target=user" label:"Created by"`
	UpdatedAt  time.Time      `crm:"updated_at,datetime,readonly" label:"Updated"`
	UpdatedBy  *uuid.UUID     `crm:"updated_by,user,readonly,target=user" label:"Updated by"`
	DeletedAt  *time.Time     `crm:"deleted_at,datetime,readonly" label:"Deleted"`
	Version    int64          `crm:"version,version,readonly"`
}

// Describe reads the field tags of T and completes d with them. A tag is
// `crm:"name,type[,option…]"` with options required, unique, readonly, history,
// search, title, hidden, cascade, sticky, target=object, options=a|b|c, min=, max=,
// pattern= (without commas) and default=value.
// It returns an error for a tag it does not understand, at start-up.
func Describe[T any](d Definition) (*Definition, error) {
	d.goType = reflect.TypeFor[T]()
	if d.Table == "" {
		d.Table = d.Plural
	}
	if d.DefaultSort == "" {
		d.DefaultSort = "-created_at"
	}
	d.byName, d.narrow = map[string]*Field{}, &narrowings{}
	if err := d.readStruct(d.goType, nil); err != nil {
		return nil, fmt.Errorf("describe %s: %w", d.Name, err)
	}
	d.layout()
	d.rules = newFieldRules(&d, nil)
	return &d, nil
}

func (d *Definition) readStruct(t reflect.Type, path []int) error {
	var base []*Field
	for i := range t.NumField() {
		sf := t.Field(i)
		at := append(slices.Clone(path), i)
		if sf.Anonymous && sf.Type == reflect.TypeFor[Base]() {
			before := len(d.Fields)
			if err := d.readStruct(sf.Type, at); err != nil {
				return err
			}
			base = slices.Clone(d.Fields[before+1:])
			d.Fields = d.Fields[:before+1] // id stays first
			continue
		}
		tag, ok := sf.Tag.Lookup("crm")
		if !ok {
			continue
		}
		f, err := readTag(tag, sf)
		if err != nil {
			return err
		}
		f.goPos = at
		if sf.Type.Kind() == reflect.Bool && f.Default == nil {
			f.Default = false // a bool cannot say "unknown", so its column may be not null
		}
		d.Fields = append(d.Fields, f)
	}
	d.Fields = append(d.Fields, base...)
	return nil
}

func readTag(tag string, sf reflect.StructField) (*Field, error) {
	parts := strings.Split(tag, ",")
	if len(parts) < 2 {
		return nil, fmt.Errorf("tag %q needs a name and a type", tag)
	}
	typ, ok := FieldType(parts[1])
	if !ok {
		return nil, fmt.Errorf("field %s has unknown type %q", parts[0], parts[1])
	}
	f := &Field{Name: parts[0], Column: parts[0], Type: typ, Label: sf.Tag.Get("label"), Help: sf.Tag.Get("help")}
	if f.Label == "" {
		f.Label = humanise(f.Name)
	}
	for _, opt := range parts[2:] {
		if err := f.option(opt); err != nil {
			return nil, err
		}
	}
	if err := f.compile(f); err != nil {
		return nil, fmt.Errorf("field %s: %w", f.Name, err)
	}
	return f, nil
}

func (f *Field) option(opt string) error {
	key, value, _ := strings.Cut(opt, "=")
	flags := map[string]*bool{
		"required": &f.Required, "unique": &f.Unique, "readonly": &f.ReadOnly, "history": &f.History,
		"search": &f.Search, "title": &f.Title, "hidden": &f.Hidden, "cascade": &f.Cascade, "sticky": &f.Sticky,
	}
	if p, ok := flags[key]; ok {
		*p = true
		return nil
	}
	switch key {
	case "target":
		f.Target = value
	case "min":
		f.Min = value
	case "max":
		f.Max = value
	case "pattern":
		f.Pattern = value
	case "options":
		f.Options = parseOptions(value)
	case "default":
		v, err := f.Type.ParseText(f, value)
		if err != nil {
			return err
		}
		f.Default = v
	default:
		return fmt.Errorf("field %s has unknown option %q", f.Name, opt)
	}
	return nil
}

// parseOptions reads "new|working:accent|converted:good".
func parseOptions(s string) []Option {
	var out []Option
	for _, part := range strings.Split(s, "|") {
		value, tone, _ := strings.Cut(part, ":")
		out = append(out, Option{Value: value, Label: humanise(value), Tone: tone})
	}
	return out
}

// Mergeable reports whether records of the object can be merged: settings cannot.
func (d *Definition) Mergeable() bool { return !d.System && !d.NoMerge }

func (d *Definition) layout() {
	for i, f := range d.Fields {
		f.pos = i
		d.byName[f.Name] = f
		d.offsets = append(d.offsets, len(d.columns))
		d.columns = append(d.columns, f.columns()...)
	}
}

// Field returns the field with this name. custom.x is found through the
// tenant's custom fields (see Kernel.Definition), not here.
func (d *Definition) Field(name string) (*Field, bool) {
	f, ok := d.byName[name]
	if ok && f.Hidden {
		return nil, false
	}
	return f, ok
}

// WithCustom returns a copy of d that also knows the tenant's custom fields,
// reachable as "custom.<name>".
func (d *Definition) WithCustom(custom []*Field) *Definition {
	if len(custom) == 0 {
		return d
	}
	c := *d
	c.narrow = &narrowings{}
	c.byName = make(map[string]*Field, len(d.byName)+len(custom))
	for k, v := range d.byName {
		c.byName[k] = v
	}
	for _, f := range custom {
		c.byName["custom."+f.Name] = f
	}
	c.rules = newFieldRules(&c, c.CustomFields())
	return &c
}

// CustomFields lists the tenant's custom fields by position, then name.
func (d *Definition) CustomFields() []*Field {
	var out []*Field
	for _, f := range d.byName {
		if f.Custom {
			out = append(out, f)
		}
	}
	slices.SortFunc(out, func(a, b *Field) int {
		return cmp.Or(cmp.Compare(a.Position, b.Position), strings.Compare(a.Name, b.Name))
	})
	return out
}

// selectList is "t.id, t.name, …" for queries whose table alias is t.
func (d *Definition) selectList() string { return "t." + strings.Join(d.columns, ", t.") }

// rowTable is the table to write to. Whoever updates or deletes there adds rowsOnly.
func (d *Definition) rowTable() string {
	if d.home != "" {
		return d.home
	}
	return d.Table
}

// rowsOnly keeps a write to rowTable within the object's own rows; prefix is the alias
// with its dot, or "".
func (d *Definition) rowsOnly(prefix string) string {
	if d.only == "" {
		return ""
	}
	return " and " + prefix + "object = '" + d.only + "'"
}

// scan reads the current row into a Record. The row must have been selected
// with selectList, and cells must outlive the call only.
func (d *Definition) scan(row []cell) *Record {
	if d.whole != nil {
		return d.whole.scan(row).as(d)
	}
	r := &Record{Def: d, Values: make([]any, len(d.Fields))}
	for i, f := range d.Fields {
		n, end := d.offsets[i], len(row)
		if i+1 < len(d.offsets) {
			end = d.offsets[i+1]
		}
		if row[n].null() {
			continue
		}
		r.Values[i] = f.Type.Scan(row[n:end])
	}
	return r
}

// binding converts between a canonical value and a struct field.
type binding struct {
	get func(reflect.Value) any
	set func(reflect.Value, any)
}

var bindings = map[reflect.Type]binding{
	reflect.TypeFor[string]():         direct[string](),
	reflect.TypeFor[int64]():          direct[int64](),
	reflect.TypeFor[float64]():        direct[float64](),
	reflect.TypeFor[bool]():           keepZero[bool](),
	reflect.TypeFor[time.Time]():      direct[time.Time](),
	reflect.TypeFor[uuid.UUID]():      direct[uuid.UUID](),
	reflect.TypeFor[money.Amount]():   direct[money.Amount](),
	reflect.TypeFor[*int64]():         pointer[int64](),
	reflect.TypeFor[*float64]():       pointer[float64](),
	reflect.TypeFor[*bool]():          pointer[bool](),
	reflect.TypeFor[*time.Time]():     pointer[time.Time](),
	reflect.TypeFor[*uuid.UUID]():     pointer[uuid.UUID](),
	reflect.TypeFor[*money.Amount]():  pointer[money.Amount](),
	reflect.TypeFor[[]string]():       {get: func(v reflect.Value) any { return nilIfEmpty(v) }, set: assign[[]string]},
	reflect.TypeFor[map[string]any](): {get: func(v reflect.Value) any { return nilIfEmpty(v) }, set: assign[map[string]any]},
	reflect.TypeFor[[]any]():          {get: func(v reflect.Value) any { return nilIfEmpty(v) }, set: assign[[]any]},
	reflect.TypeFor[any]():            {get: func(v reflect.Value) any { return v.Interface() }, set: func(dst reflect.Value, v any) { setAny(dst, v) }},
}

// direct binds a value type whose zero means empty.
func direct[T comparable]() binding {
	return binding{
		get: func(v reflect.Value) any {
			var zero T
			if x := v.Interface().(T); x != zero {
				return x
			}
			return nil
		},
		set: assign[T],
	}
}

// keepZero binds a value type whose zero is a value of its own.
func keepZero[T any]() binding {
	return binding{get: func(v reflect.Value) any { return v.Interface().(T) }, set: assign[T]}
}

func pointer[T any]() binding {
	return binding{
		get: func(v reflect.Value) any {
			if p := v.Interface().(*T); p != nil {
				return *p
			}
			return nil
		},
		set: func(dst reflect.Value, v any) {
			if x, ok := v.(T); ok {
				dst.Set(reflect.ValueOf(&x))
				return
			}
			dst.SetZero()
		},
	}
}

func assign[T any](dst reflect.Value, v any) {
	if x, ok := v.(T); ok {
		dst.Set(reflect.ValueOf(x))
		return
	}
	dst.SetZero()
}

func setAny(dst reflect.Value, v any) {
	if v == nil {
		dst.SetZero()
		return
	}
	dst.Set(reflect.ValueOf(v))
}

func nilIfEmpty(v reflect.Value) any {
	if v.Len() == 0 {
		return nil
	}
	return v.Interface()
}

// checkBindings reports a struct field whose Go type the kernel cannot bind.
func (d *Definition) checkBindings() error {
	for _, f := range d.Fields {
		t := d.goType.FieldByIndex(f.goPos).Type
		if _, ok := bindings[t]; !ok {
			return fmt.Errorf("field %s has Go type %s, which no field type binds to", f.Name, t)
		}
	}
	return nil
}
