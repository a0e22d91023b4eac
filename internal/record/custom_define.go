package record

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/db"
	"crm/internal/platform/errs"
	"crm/internal/platform/id"
)

var customName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)

// Limits of definitions.
const (
	maxCustomFields  = 500 // of one object
	maxCustomOptions = 1000
	maxRollUps       = 50 // of one tenant: each costs a statement in the child's saves
	maxSettings      = 32 << 10
)

func errUnknownType(t string) error {
	return errs.Field("type", "unknown_type", "There is no field type %q. Types are: %s.", t, strings.Join(CustomTypes(), ", "))
}

// errFieldsChanged means a save was planned with an older set of fields.
var errFieldsChanged = fmt.Errorf("custom fields changed: %w", db.ErrRetry)

// fieldsLock is the advisory lock that saves of a tenant share and a change of its
// fields has alone, so that no save runs by rules it does not know.
func fieldsLock(tenant uuid.UUID) int64 {
	h := fnv.New64a()
	h.Write([]byte("custom_fields"))
	h.Write(tenant[:])
	return int64(h.Sum64()) //nolint:gosec // any 64 bits will do
}

// queueGuard makes a save fail with errFieldsChanged, and begin again, when the
// tenant's fields are not those it was planned with. It travels with the writes. The
// version is read in a statement of its own, after the lock is held.
func (k *Kernel) queueGuard(ctx context.Context, b *pgx.Batch, tenant uuid.UUID, def *Definition) {
	known := int64(0)
	if def.set != nil {
		known = def.set.Version
	}
	b.Queue("select pg_advisory_xact_lock_shared($1)", fieldsLock(tenant))
	b.Queue("select coalesce((select version from custom_field_versions where tenant_id = $1), 0)", tenant).QueryRow(func(row pgx.Row) error {
		var version int64
		if err := row.Scan(&version); err != nil {
			return err
		}
		if version == known {
			return nil
		}
		k.fieldsSeen.Store(tenant, version)
		k.custom.Forget(ctx, tenant, "")
		return errFieldsChanged
	})
}

// defining runs fn alone with the tenant's fields: saves that use older ones have
// committed, saves that come later begin again with what fn leaves.
func (k *Kernel) defining(ctx context.Context, fn func(ctx context.Context, tx pgx.Tx, a *auth.Actor) error) error {
	a, err := auth.Must(ctx)
	if err != nil {
		return err
	}
	return k.DB.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		if err := k.lockFields(ctx, tx, a); err != nil {
			return err
		}
		if err := fn(ctx, tx, a); err != nil {
			return err
		}
		return k.fieldsChanged(ctx, tx, a)
	})
}

// lockFields waits for the saves that use the tenant's fields and objects as they are
// and keeps others out. From here on the transaction reads them from the database.
func (k *Kernel) lockFields(ctx context.Context, tx pgx.Tx, a *auth.Actor) error {
	_, err := tx.Exec(ctx, "select pg_advisory_xact_lock($1)", fieldsLock(a.TenantID))
	db.Mark(ctx, definingKey{})
	return err
}

// fieldsChanged makes everybody plan with what the transaction leaves.
func (k *Kernel) fieldsChanged(ctx context.Context, tx pgx.Tx, a *auth.Actor) error {
	var version int64
	err := tx.QueryRow(ctx, `insert into custom_field_versions (tenant_id, version) values ($1, 1)
	  on conflict on constraint custom_field_versions_pkey do update set version = custom_field_versions.version + 1 returning version`, a.TenantID).Scan(&version)
	if err != nil {
		return err
	}
	db.AfterCommitTried(ctx, func() {
		k.fieldsSeen.Store(a.TenantID, version)
		k.custom.Forget(ctx, a.TenantID, "")
	})
	return nil
}

// AddCustomFields makes fields and journals them. A field that exists with the
// same type is left alone, so that an import can be repeated.
func (k *Kernel) AddCustomFields(ctx context.Context, fields []CustomField) error {
	if _, _, err := auth.Require(ctx, "custom_field", auth.Create); err != nil {
		return err
	}
	return k.defining(ctx, func(ctx context.Context, tx pgx.Tx, a *auth.Actor) error {
		for i := range fields {
			if err := k.addCustomField(ctx, tx, a, &fields[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

func (k *Kernel) addCustomField(ctx context.Context, tx pgx.Tx, a *auth.Actor, f *CustomField) error {
	set, err := k.loadCustom(ctx)
	if err != nil {
		return err
	}
	o, ok := k.objectIn(set, f.Object)
	if !ok {
		return errs.Field("object", "unknown_object", "There is no object called %q.", f.Object)
	}
	if !customName.MatchString(f.Name) {
		return errs.Field("name", "bad_name", "A field name is lower case letters, digits and _, like contract_end.")
	}
	if f.Label == "" {
		f.Label = humanise(f.Name)
	}
	if old, found := set.find(f.Object, f.Name); found {
		return sameAgain(old, f)
	}
	if err := k.checkCustom(set, o, f); err != nil {
		return err
	}
	f.ID = id.New()
	doc, err := settingsJSON(f)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `insert into custom_fields (tenant_id, id, object, name, label, type, options, settings, created_at, updated_at)
	  values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)`, a.TenantID, f.ID, f.Object, f.Name, f.Label, f.Type, nonNil(f.Options), doc, k.Now().UTC())
	if err != nil {
		return err
	}
	if err := k.fill(ctx, tx, a, o, f); err != nil {
		return err
	}
	_, err = k.Emit(ctx, tx, "custom_field", f.ID, "created", f.journal())
	return err
}

// sameAgain answers a definition of a name that is taken.
func sameAgain(old, f *CustomField) error {
	f.ID = old.ID
	if old.DeletedAt != nil {
		return errs.New(errs.Conflict, "field_hidden", "%s had a field %s, whose values are kept. Restore it, or purge it to use the name again.", f.Object, f.Name)
	}
	if old.Type != f.Type {
		return errs.New(errs.Conflict, "already_exists", "%s already has a field %s, of type %s.", f.Object, f.Name, old.Type)
	}
	return nil
}

func (c *customSet) find(object, name string) (*CustomField, bool) {
	i := slices.IndexFunc(c.Rows, func(r CustomField) bool { return r.Object == object && r.Name == name })
	if i < 0 {
		return nil, false
	}
	return &c.Rows[i], true
}

func (f *CustomField) journal() map[string]any {
	return map[string]any{"object": f.Object, "name": f.Name, "type": f.Type, "label": f.Label}
}

func settingsJSON(f *CustomField) (string, error) {
	raw, err := json.Marshal(f.FieldSettings)
	if err == nil && len(raw) > maxSettings {
		err = errs.Field("settings", "too_long", "The rules of a field may have at most 32 KiB.")
	}
	return string(raw), err
}

func nonNil(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

// checkCustom refuses a definition that could not work, and settles what it computes.
// set is the tenant's fields without f, or with f's former row.
func (k *Kernel) checkCustom(set *customSet, o *Object, f *CustomField) error {
	if _, ok := customTypes[f.Type]; !ok {
		return errUnknownType(f.Type)
	}
	if len(f.Label) > 200 || len(f.Help) > 1000 || len(f.Section) > 200 {
		return errs.Field("label", "too_long", "Labels and sections have at most 200 characters, help 1000.")
	}
	if err := f.checkParts(); err != nil {
		return err
	}
	if err := k.checkTarget(set, f); err != nil {
		return err
	}
	n, rollUps := 0, 0
	next := set.alike(nil)
	for _, r := range set.Rows {
		if r.Object == f.Object && r.Name == f.Name {
			continue
		}
		next.Rows = append(next.Rows, r)
		if r.Object == f.Object {
			n++
		}
		if r.RollUp != nil {
			rollUps++
		}
	}
	if n >= maxCustomFields || (f.RollUp != nil && rollUps >= maxRollUps) {
		return errs.New(errs.Conflict, "too_many_fields", "%s has as many fields as it can: %d in all, %d roll-ups in the workspace.", f.Object, maxCustomFields, maxRollUps)
	}
	f.Result = ""
	switch f.Type {
	case "formula":
		f.Result = "text" // until it is parsed
	case "roll_up":
		if err := k.settleRollUp(next, o, f); err != nil {
			return err
		}
	}
	next.Rows = append(next.Rows, *f)
	return k.checkTogether(next, o, f)
}

// checkTogether tries the field among the others of its object.
func (k *Kernel) checkTogether(next *customSet, o *Object, f *CustomField) error {
	field, err := f.field()
	if err != nil {
		return rename(err, "default", f.Name)
	}
	switch {
	case f.Unique && !field.canBeUnique():
		return errs.Field("unique", "not_supported", "A field of type %s cannot be unique.", f.Type)
	case f.Indexed && field.keptColumn() == "":
		return errs.Field("indexed", "not_supported", "A field of type %s cannot be indexed.", f.Type)
	case f.Required && field.ReadOnly:
		return errs.Field("required", "not_supported", "Nobody enters a field of type %s, so it cannot be required.", f.Type)
	}
	def := next.definition(o)
	if len(f.RequiredWhen) > 0 {
		if field.ReadOnly {
			return errs.Field("required_when", "not_supported", "Nobody enters a field of type %s, so it cannot be required.", f.Type)
		}
		if _, err := parseCondition(def, f.RequiredWhen, k.Now()); err != nil {
			return rename(asInvalid(err), "required_when", "filter")
		}
	}
	if f.Type != "formula" {
		return nil
	}
	order := &formulaOrder{def: def, state: map[*Field]int{}}
	target := def.byName["custom."+f.Name]
	if err := order.visit(target); err != nil {
		return err
	}
	f.Result = resultTypes[target.program.Kind()]
	return k.checkReaders(next, f)
}

// checkReaders tries what reads this field again: a changed result must still fit, and
// no roll-up may come to depend on another.
func (k *Kernel) checkReaders(next *customSet, f *CustomField) error {
	again := next.alike(slices.Clone(next.Rows))
	again.Rows[len(again.Rows)-1] = *f
	if reader, err := k.checkSet(again); err != nil {
		return errs.Field("formula", "breaks", "%s would no longer work: %s", reader, errs.As(err).Message)
	}
	return nil
}

// checkSet tries every formula, condition and roll-up of a set, and names the first
// field that does not work.
func (k *Kernel) checkSet(set *customSet) (reader string, err error) {
	for _, row := range set.Rows {
		o, ok := k.objectIn(set, row.Object)
		if row.DeletedAt != nil || !ok {
			continue
		}
		def := set.definition(o)
		f := def.byName["custom."+row.Name]
		switch {
		case f == nil:
			continue
		case row.Type == "formula":
			err = (&formulaOrder{def: def, state: map[*Field]int{}}).visit(f)
		case row.RollUp != nil:
			_, err = k.compileRollUp(set, set.definition, o, f)
		case len(row.RequiredWhen) > 0:
			_, err = parseCondition(def, row.RequiredWhen, k.Now())
		}
		if err != nil {
			return row.Label, err
		}
	}
	return "", nil
}

func (k *Kernel) settleRollUp(next *customSet, o *Object, f *CustomField) error {
	f.Result = "integer"
	probe, err := f.field()
	if err != nil {
		return err
	}
	r, err := k.compileRollUp(next, next.definition, o, probe)
	if err != nil {
		return asInvalid(err)
	}
	f.Result = "integer"
	if r.of != nil {
		f.Result = rollUpResult(f.RollUp.Function, r.of)
	}
	return nil
}

// checkParts refuses parts that do not belong to the type.
func (f *CustomField) checkParts() error {
	if (f.Type == "formula") != (strings.TrimSpace(f.Formula) != "") {
		return errs.Field("formula", "wrong_type", "A field of type formula, and no other, has a formula.")
	}
	if (f.Type == "roll_up") != (f.RollUp != nil) {
		return errs.Field("roll_up", "wrong_type", "A field of type roll_up, and no other, has a roll_up.")
	}
	if f.Type == "auto_number" && f.AutoNumber == nil {
		f.AutoNumber = &AutoNumber{}
	}
	if a := f.AutoNumber; a != nil {
		if f.Type != "auto_number" {
			return errs.Field("auto_number", "wrong_type", "Only a field of type auto_number counts.")
		}
		if len(a.Prefix) > 40 || a.Prefix != CleanText(a.Prefix) || a.Digits < 0 || a.Digits > 18 || a.Start < 0 || a.Start > 1<<50 {
			return errs.Field("auto_number", "out_of_range", "prefix has at most 40 characters, digits is 0 to 18, start at least 1.")
		}
	}
	return f.checkOptions()
}

func (f *CustomField) checkOptions() error {
	if len(f.Options) > 0 && f.Type != "select" && f.Type != "multi_select" && f.Type != "list" {
		return errs.Field("options", "wrong_type", "Only select and multi_select have options.")
	}
	if f.Type == "multi_select" && len(f.Options) == 0 {
		return errs.Field("options", "required", "A multi_select needs options.")
	}
	if len(f.Options) > maxCustomOptions {
		return errs.Field("options", "too_many", "A field may have at most %d options.", maxCustomOptions)
	}
	seen := map[string]bool{}
	for i, o := range f.Options {
		o = strings.TrimSpace(CleanText(o))
		if o == "" || len(o) > 100 || seen[o] || strings.ContainsAny(o, ",;") && f.Type != "select" {
			return errs.Field("options", "bad_option", "Options are different texts of 1 to 100 characters; those of a multi_select have no comma.")
		}
		f.Options[i], seen[o] = o, true
	}
	return nil
}

func (k *Kernel) checkTarget(set *customSet, f *CustomField) error {
	if f.Type != "relation" {
		if f.Target != "" && f.Target != f.Type {
			return errs.Field("target", "wrong_type", "Only a relation has a target.")
		}
		f.Target = ""
		return nil
	}
	if o, ok := k.pluralIn(set, f.Target); ok {
		f.Target = o.Def.Name
	}
	if _, ok := k.objectIn(set, f.Target); !ok {
		return errs.Field("target", "unknown_object", "A relation needs the object it points to as target, such as account.")
	}
	return nil
}

// rename puts the errors that name one field under another name, for the caller who
// knows the parts of a definition and not what they became.
func rename(err error, to string, from ...string) error {
	e := errs.As(err)
	if e == nil {
		return err
	}
	var out errs.Fields
	for _, fe := range e.Fields {
		if slices.Contains(from, fe.Field) {
			fe.Field = to
		}
		out = append(out, fe)
	}
	if len(out) == 0 {
		return err
	}
	return out.Err()
}

// asInvalid makes a refused filter a refused field: here it came in a body.
func asInvalid(err error) error {
	e := errs.As(err)
	if e == nil || len(e.Fields) == 0 {
		return err
	}
	return errs.Fields(e.Fields).Err()
}

// errNoField is the answer for an id that is no field of the tenant.
func errNoField() error { return errs.Missing("custom field") }

// CustomField returns one field by its id.
func (k *Kernel) CustomField(ctx context.Context, fid uuid.UUID) (*CustomField, error) {
	set, err := k.customSet(ctx)
	if err != nil {
		return nil, err
	}
	return set.byID(fid)
}

func (c *customSet) byID(fid uuid.UUID) (*CustomField, error) {
	i := slices.IndexFunc(c.Rows, func(r CustomField) bool { return r.ID == fid })
	if i < 0 {
		return nil, errNoField()
	}
	f := c.Rows[i]
	return &f, nil
}

// keepFor is how long a hidden field's values stay before upkeep purges them.
const keepFor = 30 * 24 * time.Hour
