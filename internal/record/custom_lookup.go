package record

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/google/uuid"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
)

// A tenant's own objects are found where its own fields are: in its set, which is
// cached with a version. Every edge that treats all objects alike asks here; Object,
// ByPlural and Objects know the built-in ones alone, which need no tenant.

// customObject is the row of a tenant's object as the set keeps it.
type customObject struct {
	Name, Plural, Label, LabelPlural, Icon string
	Owned, Archived                        bool
}

// customRecord describes what every record of such an object has; all the rest are
// custom fields.
type customRecord struct {
	Base
	Name string `crm:"name,text,required,search,title"`
}

const customTable = "custom_records"

// plainName is what may stand in SQL and paths as it is.
var plainName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}$`)

func (k *Kernel) prepareCustomObjects() error {
	def, err := Describe[customRecord](Definition{Name: "custom_record", Plural: customTable, Owned: true, Lenient: true, Match: sameName})
	if err != nil {
		return err
	}
	k.template = &Object{Def: def, k: k, group: "custom." + def.fingerprint() + "."}
	return nil
}

// sameName matches records by their name, the one thing all of them have.
func sameName(r *Record) []MatchKey {
	return []MatchKey{{On: "name", Value: FoldWords(r.Text("name")), Score: 60}}
}

// makeObject makes the object of a row. Its Table is a subquery, which PostgreSQL
// flattens, so that no statement that reads can forget whose rows it is about.
func (k *Kernel) makeObject(row *customObject) *Object {
	d := *k.template.Def
	d.Name, d.Plural, d.Label, d.LabelPlural, d.Owned = row.Name, row.Plural, row.Label, row.LabelPlural, row.Owned
	d.Icon, d.home, d.only = row.Icon, customTable, row.Name
	d.Table = fmt.Sprintf("(select * from %s where object = '%s')", customTable, row.Name)
	d.ListFields = []string{"owner_id", "updated_at"}
	return &Object{Def: &d, k: k, group: k.template.group + d.Name}
}

// Own reports whether a tenant made the object.
func (d *Definition) Own() bool { return d.only != "" }

// ownColumns is how many custom fields a list of a tenant's object shows at first.
const ownColumns = 4

// showOwnFields puts the first custom fields before the columns every record has.
func (d *Definition) showOwnFields() {
	if !d.Own() {
		return
	}
	var names []string
	for _, f := range d.CustomFields() {
		switch f.TypeName() {
		case "long_text", "rich_text", "json", "address", "file":
			continue
		}
		if names = append(names, "custom."+f.Name); len(names) == ownColumns {
			break
		}
	}
	d.ListFields = append(names, d.ListFields...)
}

// compile makes the living objects of the set, once.
func (k *Kernel) compileObjects(c *customSet) {
	c.once.Do(func() {
		c.byWord = map[string]*Object{}
		for i := range c.Objects {
			row := &c.Objects[i]
			// One of an earlier release whose name is built in by now rests.
			if row.Archived || !plainName.MatchString(row.Name) || k.objects[row.Name] != nil || k.byPlural[row.Plural] != nil {
				continue
			}
			o := k.makeObject(row)
			c.made = append(c.made, o)
			c.byWord[row.Name], c.byWord["/"+row.Plural] = o, o
		}
	})
}

// objectIn finds an object by name, built in or of the set; a nil set has none.
func (k *Kernel) objectIn(c *customSet, name string) (*Object, bool) {
	if o, ok := k.objects[name]; ok || c == nil {
		return o, ok
	}
	k.compileObjects(c)
	o, ok := c.byWord[name]
	return o, ok && !strings.HasPrefix(name, "/")
}

// anyObjectIn is objectIn that knows archived ones too, whose records are kept.
func (k *Kernel) anyObjectIn(c *customSet, name string) (*Object, bool) {
	if o, ok := k.objectIn(c, name); ok {
		return o, true
	}
	i := slices.IndexFunc(c.Objects, func(o customObject) bool { return o.Name == name && plainName.MatchString(name) })
	if i < 0 {
		return nil, false
	}
	return k.makeObject(&c.Objects[i]), true
}

func (k *Kernel) pluralIn(c *customSet, plural string) (*Object, bool) {
	if o, ok := k.byPlural[plural]; ok || c == nil {
		return o, ok
	}
	k.compileObjects(c)
	o, ok := c.byWord["/"+plural]
	return o, ok
}

// objectsIn lists the built-in objects in their order, then those of the set.
func (k *Kernel) objectsIn(c *customSet) []*Object {
	if c == nil {
		return k.Objects()
	}
	k.compileObjects(c)
	return slices.Concat(k.order, c.made)
}

// alike is a set of the same objects with other fields.
func (c *customSet) alike(rows []CustomField) *customSet {
	return &customSet{Rows: rows, Objects: c.Objects, Version: c.Version, defs: map[string]*Definition{}}
}

// leads reports whether a field can be shown: a relation to an archived object rests
// with it and comes back with it.
func (k *Kernel) leads(c *customSet, row *CustomField) bool {
	if row.Type != "relation" {
		return true
	}
	_, ok := k.objectIn(c, row.Target)
	return ok
}

// setFor is the actor's set, nil where nobody acts or it cannot be read: then the
// built-in objects are all there is.
func (k *Kernel) setFor(ctx context.Context) *customSet {
	if auth.From(ctx) == nil {
		return nil
	}
	set, err := k.customSet(ctx)
	if err != nil {
		k.Log.WarnContext(ctx, "read the objects of a tenant", "error", err)
		return nil
	}
	return set
}

// ObjectFor finds an object by its name ("deal"), the tenant's own included.
func (k *Kernel) ObjectFor(ctx context.Context, name string) (*Object, bool) {
	if o, ok := k.objects[name]; ok {
		return o, true
	}
	return k.objectIn(k.setFor(ctx), name)
}

// PluralFor finds an object by its path name ("deals"), the tenant's own included.
func (k *Kernel) PluralFor(ctx context.Context, plural string) (*Object, bool) {
	if o, ok := k.byPlural[plural]; ok {
		return o, true
	}
	return k.pluralIn(k.setFor(ctx), plural)
}

// OwnPlural finds one of the tenant's own objects by its path name, and tells an
// unknown one from a database that does not answer.
func (k *Kernel) OwnPlural(ctx context.Context, plural string) (*Object, error) {
	set, err := k.customSet(ctx)
	if err != nil {
		return nil, err
	}
	if o, ok := k.pluralIn(set, plural); ok && o.Def.Own() {
		return o, nil
	}
	return nil, errs.New(errs.NotFound, "no_such_route", "There is nothing at this address. /api/openapi.json lists every call.")
}

// ObjectsFor lists every object: the built-in ones in registration order, then the
// tenant's own by label.
func (k *Kernel) ObjectsFor(ctx context.Context) []*Object { return k.objectsIn(k.setFor(ctx)) }

// getManyOf is GetMany by the object's name; of an object that is gone it is nothing.
func (k *Kernel) getManyOf(ctx context.Context, object string, ids []uuid.UUID) (map[uuid.UUID]*Record, error) {
	o, ok := k.ObjectFor(ctx, object)
	if !ok {
		return nil, nil
	}
	return o.GetMany(ctx, ids)
}

// groupOf finds the object whose rows are cached under a group. Rows of all tenants'
// own objects look alike.
func (k *Kernel) groupOf(group string) *Object {
	if o := k.byGroup[group]; o != nil {
		return o
	}
	if strings.HasPrefix(group, k.template.group) {
		return k.template
	}
	return nil
}

// OwnTemplate is an object like those that tenants make, of no tenant: it shows what
// calls such an object has. Nothing can be read or written through it.
func (k *Kernel) OwnTemplate() *Object {
	def := *k.template.Def
	def.Label, def.LabelPlural, def.only, def.home, def.Table = "Custom record", "Custom records", "-", customTable, "(select * from "+customTable+" where false)"
	return &Object{Def: &def, k: k, group: k.template.group + "-"}
}
