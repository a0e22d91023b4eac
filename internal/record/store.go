package record

import (
	"context"
	"reflect"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
)

// Store is an Object typed for its context. T embeds Base and carries the field
// tags that define the object.
type Store[T any] struct {
	*Object
}

// TypedChange is a Change with the context's own struct. New may be modified in
// a Before hook; Old is nil for a create.
type TypedChange[T any] struct {
	Old, New *T
	*Change
}

// HooksFor are Hooks over a context's struct.
type HooksFor[T any] struct {
	Before func(ctx context.Context, tx pgx.Tx, changes []TypedChange[T]) error
	After  func(ctx context.Context, tx pgx.Tx, changes []TypedChange[T]) error
	Refs   func(r *T) []uuid.UUID
}

// Register describes T, adds its object to the kernel and returns its store.
func Register[T any](k *Kernel, d Definition, h HooksFor[T]) (*Store[T], error) {
	def, err := Describe[T](d)
	if err != nil {
		return nil, err
	}
	hooks := Hooks{}
	if h.Before != nil {
		hooks.Before = typedBefore(h.Before)
	}
	if h.After != nil {
		hooks.After = func(ctx context.Context, tx pgx.Tx, changes []*Change) error {
			return h.After(ctx, tx, typed[T](changes))
		}
	}
	if h.Refs != nil {
		hooks.Refs = func(r *Record) []uuid.UUID { return h.Refs(To[T](r)) }
	}
	o, err := k.add(def, hooks)
	if err != nil {
		return nil, err
	}
	return &Store[T]{o}, nil
}

func typed[T any](changes []*Change) []TypedChange[T] {
	out := make([]TypedChange[T], len(changes))
	for i, c := range changes {
		out[i] = TypedChange[T]{New: To[T](c.New), Change: c}
		if c.Old != nil {
			out[i].Old = To[T](c.Old)
		}
	}
	return out
}

// typedBefore writes what the hook changed back into the records.
func typedBefore[T any](f func(context.Context, pgx.Tx, []TypedChange[T]) error) func(context.Context, pgx.Tx, []*Change) error {
	return func(ctx context.Context, tx pgx.Tx, changes []*Change) error {
		ts := typed[T](changes)
		if err := f(ctx, tx, ts); err != nil {
			return err
		}
		for i, t := range ts {
			def := changes[i].New.Def
			changes[i].New = def.unbind(reflect.ValueOf(t.New).Elem())
		}
		return nil
	}
}

// To turns a record into its struct.
func To[T any](r *Record) *T {
	t := new(T)
	r.bind(reflect.ValueOf(t).Elem())
	return t
}

// Get returns one record the actor may see.
func (s *Store[T]) Get(ctx context.Context, id uuid.UUID) (*T, error) {
	r, err := s.Object.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	return To[T](r), nil
}

// Find returns the records a query matches.
func (s *Store[T]) Find(ctx context.Context, q Query) ([]*T, error) {
	page, err := s.List(ctx, q)
	if err != nil {
		return nil, err
	}
	out := make([]*T, len(page.Records))
	for i, r := range page.Records {
		out[i] = To[T](r)
	}
	return out, nil
}

// Where is a filter on one field, for code; it fails on unknown names at once.
func (s *Store[T]) Where(field string, op Op, values ...any) Filter {
	f, ok := s.Def.Field(field)
	if !ok {
		// An impossible filter: no row has a null id.
		f, op, values = s.Def.byName["id"], IsNull, []any{true}
	}
	return Filter{Cond: &Cond{Field: f, Op: op, Values: values}}
}

// Create writes a new record from t; its id is t.ID when set.
func (s *Store[T]) Create(ctx context.Context, t *T) (*T, error) {
	created, err := s.CreateMany(ctx, []*T{t})
	if err != nil {
		return nil, err
	}
	return created[0], nil
}

// CreateMany writes new records in one transaction, in order.
func (s *Store[T]) CreateMany(ctx context.Context, list []*T) ([]*T, error) {
	ops := make([]Operation, len(list))
	for i, t := range list {
		r := s.Def.unbind(reflect.ValueOf(t).Elem())
		p := Patch{}
		for n, f := range s.Def.Fields {
			if f.Name == "custom" {
				if m, ok := r.Values[n].(map[string]any); ok {
					p["custom"] = m
				}
				continue
			}
			if r.Values[n] != nil && f.Name != "id" && f.Name != "version" {
				p[f.Name] = r.Values[n]
			}
		}
		ops[i] = Operation{Kind: OpCreate, ID: r.ID(), Patch: p}
	}
	res, err := s.Apply(ctx, ops, true)
	if err != nil {
		return nil, err
	}
	out := make([]*T, len(res))
	for i, r := range res {
		out[i] = To[T](r.Record)
	}
	return out, nil
}

// Act is a change that is more than a patch (move, win, convert): Name is its
// word in the journal, Data its facts.
type Act struct {
	Name string
	Data map[string]any
	// IfVersion refuses the act when the record changed meanwhile; 0 = any.
	IfVersion int64
}

// Change locks the record, lets fn change it, and saves it under the act's name.
// It needs the update right, on each field that fn sets too. fn sees the whole record,
// and may return an errs.Error to refuse. What comes back is whole as well: it is for
// the act's own rules, an edge reads the record anew.
func (s *Store[T]) Change(ctx context.Context, id uuid.UUID, act Act, fn func(ctx context.Context, tx pgx.Tx, t *T) error) (*T, error) {
	var out *T
	err := s.k.DB.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		a, err := auth.Must(ctx)
		if err != nil {
			return err
		}
		def, err := s.k.wholeDefinition(ctx, s.Def.Name)
		if err != nil {
			return err
		}
		op := Operation{Kind: OpUpdate, ID: id, Action: act.Name, Data: act.Data}
		if act.IfVersion != 0 {
			op.IfVersion = &act.IfVersion
		}
		found, err := s.lockTargets(ctx, tx, a, def, []Operation{op}, []int{0})
		if err != nil {
			return err
		}
		if found[0] == nil {
			return errs.Missing(strings.ToLower(s.Def.Label))
		}
		c, err := s.prepare(a, def, &op, found[0])
		if err == nil {
			err = s.asExpected(ctx, &op, found[0])
		}
		if err != nil {
			return err
		}
		t := To[T](c.New)
		if err := fn(Whole(ctx), tx, t); err != nil {
			return err
		}
		c.New = def.unbind(reflect.ValueOf(t).Elem())
		if err := s.mayAct(ctx, c); err != nil {
			return err
		}
		c.Data = act.Data
		if err := s.save(ctx, tx, []*Change{c}); err != nil {
			return err
		}
		out = To[T](c.New)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
