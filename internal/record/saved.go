package record

import (
	"context"
	"net/url"
	"strings"

	"github.com/google/uuid"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
)

// View is a saved way to look at a list. It says what to show, never who may see
// it: the rights of whoever looks apply.
type View struct {
	ID      uuid.UUID
	Name    string
	Object  string
	Filter  string // stored form, see Filter.JSON
	Sort    string
	Search  string
	Columns []string
}

// Segment is a named set of records. A dynamic one is its filter, evaluated for
// whoever asks; a static one is the list in segment_members.
type Segment struct {
	ID     uuid.UUID
	Name   string
	Object string
	Static bool
	Filter string
}

// Saved finds views and segments, as far as the actor may see them; a NotFound
// otherwise. The context that keeps them gives itself to the kernel at start-up.
type Saved interface {
	SavedView(ctx context.Context, id uuid.UUID) (*View, error)
	SavedSegment(ctx context.Context, id uuid.UUID) (*Segment, error)
}

// UseSaved lets filters name segments and lists name views. Called once, at
// composition.
func (k *Kernel) UseSaved(s Saved) { k.saved = s }

func (o *Object) parser(ctx context.Context) (*parser, error) {
	a, err := auth.Must(ctx)
	if err != nil {
		return nil, err
	}
	def, err := o.k.Definition(ctx, o.Def.Name)
	if err != nil {
		return nil, err
	}
	p := &parser{def: def, resolve: o.k.resolver(ctx), me: a.ID, now: o.k.Now(), zone: zone(a), conds: new(int)}
	if o.k.saved != nil {
		p.segment = func(id uuid.UUID) (*Segment, error) { return o.k.saved.SavedSegment(ctx, id) }
	}
	return p, nil
}

// segmentRef reads the segment a filter names. A dynamic one is read here and now
// for the caller, who needs to see it.
func (p *parser) segmentRef(id uuid.UUID) (SegmentRef, error) {
	s, err := p.segment(id)
	if err != nil {
		if errs.KindOf(err) == errs.NotFound {
			err = errs.Field("segment", "unknown_segment", "There is no segment with this id, or you may not see it.")
		}
		return SegmentRef{}, err
	}
	if s.Object != p.def.Name {
		return SegmentRef{}, errs.Field("segment", "other_object", "The segment “%s” is of another object and cannot narrow %s.", s.Name, strings.ToLower(p.def.LabelPlural))
	}
	ref := SegmentRef{ID: s.ID, Static: s.Static}
	if s.Static {
		return ref, nil
	}
	if p.segments >= maxSegmentDepth {
		return ref, errs.Field("segment", "too_deep", "Segments may name segments at most %d deep; “%s” leads further, or to itself.", maxSegmentDepth, s.Name)
	}
	inner := *p
	inner.segments++
	if ref.Inner, err = inner.parseJSON(s.Filter); err != nil {
		return ref, errs.Field("segment", "broken_segment", "The segment “%s” cannot be used: %s", s.Name, message(errs.As(err), err))
	}
	return ref, nil
}

// ParseList reads a list's query parameters: filters, q, sort, trash, cursor, and
// view, whose own settings hold where the address says nothing else. Names in
// ignore are parameters of the caller's own. The view is nil when none is named.
func (o *Object) ParseList(ctx context.Context, v url.Values, ignore ...string) (Query, *View, error) {
	q := Query{Cursor: v.Get("cursor"), Sort: v.Get("sort"), Search: v.Get("q"), Trash: v.Get("trash") == "true"}
	view, err := o.view(ctx, v.Get("view"))
	if err != nil {
		return q, nil, err
	}
	p, err := o.parser(ctx)
	if err != nil {
		return q, nil, err
	}
	if q.Filter, err = p.parseURL(v, ignore); err != nil || view == nil {
		return q, view, err
	}
	inner, err := p.parseJSON(view.Filter)
	if err != nil {
		return q, view, brokenView(view, err)
	}
	q.Filter = And(inner, q.Filter)
	if !v.Has("sort") {
		if q.Sort = view.Sort; q.Sort != "" {
			if err := p.def.CheckSort(q.Sort); err != nil {
				return q, view, brokenView(view, err)
			}
		}
	}
	if !v.Has("q") {
		q.Search = view.Search
	}
	return q, view, nil
}

// view finds the saved view of a list; a word that is no id is another way to
// look at the list and none of the kernel's business.
func (o *Object) view(ctx context.Context, s string) (*View, error) {
	vid, err := uuid.Parse(s)
	if err != nil || o.k.saved == nil {
		return nil, nil
	}
	view, err := o.k.saved.SavedView(ctx, vid)
	if err != nil {
		return nil, err
	}
	if view.Object != o.Def.Name {
		return nil, malformed(errs.Fields{{Field: "view", Code: "other_object", Message: "This view is of another object."}})
	}
	return view, nil
}

// brokenView is the answer for a view whose filter does not fit any more.
func brokenView(v *View, err error) error {
	e := errs.New(errs.Conflict, "broken_view", "The view “%s” cannot be shown: %s", v.Name, message(errs.As(err), err))
	if from := errs.As(err); from != nil {
		e.Fields = from.Fields
	}
	return e
}
