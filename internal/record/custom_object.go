package record

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
)

// CustomObject is an object that a tenant makes. It is a record itself, so that making
// and archiving one is journaled, can be undone and needs a right like all else. Its
// records live in one table with those of all others; its fields are custom fields.
type CustomObject struct {
	Base
	Label       string `crm:"label,text,required,title,search,max=80" help:"What one of them is called: Project."`
	LabelPlural string `crm:"label_plural,text,required,max=80" label:"Label of many" help:"What the list is called: Projects."`
	Name        string `crm:"name,text,required" help:"Its name for programs and roles, like project. It cannot be changed later."`
	Plural      string `crm:"plural,text,required" label:"Address" help:"The last part of its address, like projects. It cannot be changed later."`
	Description string `crm:"description,long_text,max=1000"`
	Icon        string `crm:"icon,select,options=table|file-text|building-2|house|calendar|clock|tag|star|trophy|handshake|users|megaphone|workflow|notebook-pen|paperclip|key|smartphone|zap"`
	Owned       bool   `crm:"owned,boolean,default=true" label:"Records have owners" help:"Roles can then be limited to their own records, or their team's."`
}

// maxCustomObjects is how many objects a tenant may make, archived ones included.
const maxCustomObjects = 100

// reservedWords are first parts of addresses, names in the journal and names of rights
// that are not objects, now or as promised for later. A test in app compares them with
// the addresses that are served.
var reservedWords = strings.Fields(`
	account accounts action actions api api_key api_keys auth batch board bulk by calendar campaign campaigns change changes custom custom_field
	custom_fields custom_object custom_objects custom_record custom_records dashboard dashboards dead_letter dead_letters delete docs download duplicate duplicates edit email
	emails events export exports false favicon file files filter filters form forms healthz history home hook hooks id ids import imports inbox index job
	jobs join journal key keys lead_form lead_forms line_item line_items list live log login logout lookup lookups mail mails me merge metrics new none
	note notes notification notifications null oauth object objects openapi palette permission permissions provider providers purge quote quotes readyz
	record records report reports restore role roles schema scoring scoring_model scoring_models search segment segments send session sessions setting
	settings sign_in sign_in_settings sign_out sign_up oidc passkey passkeys mfa invitation invitations identity access share shares audit connection connections app apps suppression suppressions sync system template templates tenant tenants timeline token tokens trash true undefined
	undo undos unsubscribe user users v1 v2 version view views webhook webhooks workflow workflows workspace workspaces`)

// UseCustomObjects registers the object whose records are the tenants' own objects.
// Called once, at composition.
func (k *Kernel) UseCustomObjects() (*Store[CustomObject], error) {
	return Register[CustomObject](k, Definition{
		Name: "custom_object", Plural: "custom_objects", Label: "Custom object", LabelPlural: "Custom objects", System: true, NoSearch: true,
		DefaultSort: "label", ListFields: []string{"label", "name", "plural", "owned", "updated_at"},
	}, HooksFor[CustomObject]{Before: k.checkObjects, After: k.objectsChanged})
}

// checkObjects judges objects alone with the tenant's definitions: nothing can take a
// name, or begin to need an object, in between.
func (k *Kernel) checkObjects(ctx context.Context, tx pgx.Tx, changes []TypedChange[CustomObject]) error {
	a, err := auth.Must(ctx)
	if err != nil {
		return err
	}
	if err := k.lockFields(ctx, tx, a); err != nil {
		return err
	}
	set, err := k.loadCustom(ctx)
	if err != nil {
		return err
	}
	for _, c := range changes {
		switch {
		case c.Old == nil:
			err = k.checkNewObject(set, c.New)
		case c.Old.Name != c.New.Name || c.Old.Plural != c.New.Plural:
			err = errs.Field("name", "fixed", "The name and address of an object are in links, roles and programs and cannot be changed. Change its label instead.")
		case c.Old.DeletedAt != nil && c.New.DeletedAt == nil:
			err = k.checkWords(c.New)
		case c.Old.DeletedAt == nil && c.New.DeletedAt != nil:
			err = k.checkArchive(set, c.New)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (k *Kernel) objectsChanged(ctx context.Context, tx pgx.Tx, _ []TypedChange[CustomObject]) error {
	a, err := auth.Must(ctx)
	if err != nil {
		return err
	}
	return k.fieldsChanged(ctx, tx, a)
}

// checkNewObject completes what was left out and refuses names that are taken. It
// adds the object to the set, so that the next of the same batch meets it.
func (k *Kernel) checkNewObject(set *customSet, o *CustomObject) error {
	if o.Label == "" && o.Name != "" {
		o.Label = humanise(o.Name)
	}
	if o.Label == "" {
		return errs.Field("label", "required", "Say what one of them is called, like Project.")
	}
	if o.Name == "" {
		o.Name = CustomName(o.Label)
	}
	if o.Plural == "" {
		o.Plural = pluralOf(o.Name)
	}
	if o.LabelPlural == "" {
		o.LabelPlural = pluralOf(o.Label)
	}
	if err := k.checkWords(o); err != nil {
		return err
	}
	for _, old := range set.Objects {
		for field, word := range map[string]string{"name": o.Name, "plural": o.Plural} {
			if word != old.Name && word != old.Plural {
				continue
			}
			if old.Archived {
				return errs.Field(field, "taken", "The archived object %s has this name, and its records are kept. Restore it, or choose another name.", old.Label)
			}
			return errs.Field(field, "taken", "The object %s has this name. Choose another one.", old.Label)
		}
	}
	if len(set.Objects) >= maxCustomObjects {
		return errs.New(errs.Conflict, "too_many_objects", "A workspace has at most %d objects of its own, archived ones included.", maxCustomObjects)
	}
	set.Objects = append(set.Objects, customObject{Name: o.Name, Plural: o.Plural, Label: o.Label, LabelPlural: o.LabelPlural})
	return nil
}

// checkWords refuses names that cannot be, or that mean something already.
func (k *Kernel) checkWords(o *CustomObject) error {
	if o.Name == o.Plural {
		return errs.Field("plural", "same_as_name", "The address must differ from the name: %s and %s.", o.Name, pluralOf(o.Name))
	}
	words := []struct{ field, word string }{{"name", o.Name}, {"plural", o.Plural}}
	for _, w := range words {
		if !plainName.MatchString(w.word) || len(w.word) < 2 {
			return errs.Field(w.field, "bad_name", "A name is 2 to 40 lower case letters, digits and _, and begins with a letter, like service_contract.")
		}
		if k.objects[w.word] != nil || k.byPlural[w.word] != nil || slices.Contains(reservedWords, w.word) {
			return errs.Field(w.field, "reserved", "The name %s has a meaning of its own here. Choose another one.", w.word)
		}
	}
	return nil
}

// ReservedWord reports whether no tenant's object may have this name.
func ReservedWord(s string) bool { return slices.Contains(reservedWords, s) }

// checkArchive refuses to hide an object while a rule, formula or figure of another
// one is worked out from it.
func (k *Kernel) checkArchive(set *customSet, o *CustomObject) error {
	without := &customSet{Version: set.Version, defs: map[string]*Definition{}, Objects: slices.Clone(set.Objects)}
	for i := range without.Objects {
		if without.Objects[i].Name == o.Name {
			without.Objects[i].Archived = true
		}
	}
	for _, row := range set.Rows {
		if row.Object != o.Name {
			without.Rows = append(without.Rows, row)
		}
	}
	if reader, err := k.checkSet(without); err != nil {
		return errs.New(errs.Conflict, "in_use", "The field %s still needs %s. Change or hide it first.", reader, o.LabelPlural)
	}
	return nil
}

// pluralOf is a guess in English, for people to correct.
func pluralOf(s string) string {
	lower := strings.ToLower(s)
	switch {
	case strings.HasSuffix(lower, "y") && !strings.HasSuffix(lower, "ay") && !strings.HasSuffix(lower, "ey") && !strings.HasSuffix(lower, "oy"):
		return s[:len(s)-1] + "ies"
	case strings.HasSuffix(lower, "s"), strings.HasSuffix(lower, "x"), strings.HasSuffix(lower, "ch"), strings.HasSuffix(lower, "sh"):
		return s + "es"
	}
	return s + "s"
}

// AddObject makes an object with its first fields, all or nothing.
func (k *Kernel) AddObject(ctx context.Context, patch Patch, fields []CustomField) (*Record, error) {
	o, ok := k.Object("custom_object")
	if !ok {
		return nil, fmt.Errorf("custom objects are not registered")
	}
	var out *Record
	err := k.DB.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		res, err := o.One(ctx, Operation{Kind: OpCreate, Patch: patch})
		if err != nil || len(fields) == 0 {
			out = res.Record
			return err
		}
		out = res.Record
		for i := range fields {
			fields[i].Object = out.Text("name")
		}
		return k.AddCustomFields(ctx, fields)
	})
	return out, err
}
