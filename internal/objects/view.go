package objects

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/errs"
	"crm/internal/record"
)

// View is a saved way to look at a list.
type View struct {
	record.Base
	Name      string   `crm:"name,text,required,title,search"`
	Object    string   `crm:"object,text,required" help:"Whose list it is, like contact. It cannot be changed later."`
	Filter    any      `crm:"filter,json"`
	Search    string   `crm:"q,text" label:"Search words"`
	Sort      string   `crm:"sort,text" label:"Sorted by" help:"Fields, - for descending: -created_at,last_name."`
	Columns   []string `crm:"columns,list" help:"Names of fields, in order."`
	GroupBy   string   `crm:"group_by,text" label:"Grouped by"`
	Layout    string   `crm:"layout,select,options=list|board,default=list"`
	Sharing   string   `crm:"sharing,select,required,options=private|team|all,default=private" help:"Who has this view: only its owner, the owner's team, or everybody. Nobody sees more records through it."`
	Position  *int64   `crm:"position,integer" help:"Views stand in this order."`
	IsDefault bool     `crm:"is_default,boolean" label:"Shown first"`
}

// Who has a view.
const (
	Private  = "private"
	Team     = "team"
	Everyone = "all"
)

const maxColumns = 30

// checkViews keeps views readable: what they name exists when they are saved.
func (s *Service) checkViews(ctx context.Context, _ pgx.Tx, changes []record.TypedChange[View]) error {
	for _, c := range changes {
		if c.New.OwnerID == nil && c.New.Sharing == Private {
			c.New.Sharing = Everyone // nobody would ever see it again
		}
		if record.Undoing(ctx) || c.New.DeletedAt != nil {
			continue
		}
		if err := s.checkView(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) checkView(ctx context.Context, c record.TypedChange[View]) error {
	ctx = record.AsActor(ctx) // a view names only what its maker has
	v := c.New
	o, err := s.object(ctx, v.Object)
	if err != nil {
		return err
	}
	v.Object = o.Def.Name
	if c.Old != nil && c.Old.Object != v.Object {
		return errs.Field("object", "fixed", "A view stays with its object. Make a new view instead.")
	}
	if c.Old == nil || c.Changed("filter") {
		if v.Filter, err = s.cleanFilter(ctx, o, v.Filter); err != nil {
			return err
		}
	}
	if v.Sort != "" && (c.Old == nil || c.Old.Sort != v.Sort) {
		def, err := s.k.Definition(ctx, o.Def.Name)
		if err != nil {
			return err
		}
		if err := def.CheckSort(v.Sort); err != nil {
			return err
		}
	}
	if c.Old == nil || c.Changed("columns") || c.Changed("group_by") {
		return s.checkColumns(ctx, o, v)
	}
	return nil
}

func (s *Service) checkColumns(ctx context.Context, o *record.Object, v *View) error {
	def, err := s.k.Definition(ctx, o.Def.Name)
	if err != nil {
		return err
	}
	if len(v.Columns) > maxColumns {
		return errs.Field("columns", "too_many", "A list shows at most %d columns.", maxColumns)
	}
	for _, name := range v.Columns {
		if _, ok := def.Field(name); !ok {
			return errs.Field("columns", "unknown_field", "There is no field %q on %s.", name, def.Plural)
		}
	}
	if _, ok := def.Field(v.GroupBy); v.GroupBy != "" && !ok {
		return errs.Field("group_by", "unknown_field", "There is no field %q on %s.", v.GroupBy, def.Plural)
	}
	return nil
}

// cleanFilter reads a filter document and returns it in its stored form.
func (s *Service) cleanFilter(ctx context.Context, o *record.Object, doc any) (any, error) {
	f, err := o.ParseFilterJSON(ctx, FilterText(doc))
	if err != nil {
		if e := errs.As(err); e != nil {
			return nil, errs.Field("filter", "bad_filter", "%s", e.Message)
		}
		return nil, err
	}
	if f.Empty() {
		return nil, nil
	}
	dec := json.NewDecoder(strings.NewReader(f.JSON()))
	dec.UseNumber() // as a read gives it, so that comparing old and new works
	var out any
	err = dec.Decode(&out)
	return out, err
}

// FilterText is a stored filter as text; no filter is {}.
func FilterText(doc any) string {
	if doc == nil {
		return "{}"
	}
	raw, err := json.Marshal(doc)
	if err != nil {
		return "{}"
	}
	return string(raw)
}

// SavedView finds a view for the kernel.
func (s *Service) SavedView(ctx context.Context, id uuid.UUID) (*record.View, error) {
	v, err := s.Views.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	if v.DeletedAt != nil {
		return nil, errs.Missing("view")
	}
	return &record.View{ID: v.ID, Name: v.Name, Object: v.Object, Filter: FilterText(v.Filter), Sort: v.Sort, Search: v.Search, Columns: v.Columns}, nil
}

// ViewsOf are the views of an object's list the actor has, in their order.
func (s *Service) ViewsOf(ctx context.Context, object string) ([]*View, error) {
	return s.Views.Find(ctx, record.Query{Limit: maxViews, Sort: "position,name", Filter: s.Views.Where("object", record.Eq, object)})
}

// maxViews is how many views of one list are offered.
const maxViews = 50
