package exporting

import (
	"context"
	"maps"
	"slices"

	"github.com/google/uuid"

	"crm/internal/record"
)

// nameWindow bounds how many names are kept; a million contacts may belong to a
// million companies.
const nameWindow = 20_000

// names finds the names behind ids, a batch at a time and within the snapshot. What
// the actor may not see has no name.
type names struct {
	k     *record.Kernel
	known map[string]map[uuid.UUID]string // by object; "" = looked for in vain
}

func newNames(k *record.Kernel) *names {
	return &names{k: k, known: map[string]map[uuid.UUID]string{}}
}

// load makes sure that the names the batch needs are known.
func (n *names) load(ctx context.Context, batch []*record.Record, columns []column) error {
	wanted := map[string]map[uuid.UUID]bool{}
	for _, c := range columns {
		if c.object == "" {
			continue
		}
		if wanted[c.object] == nil {
			wanted[c.object] = map[uuid.UUID]bool{}
		}
		for _, r := range batch {
			if id, ok := r.Get(c.name).(uuid.UUID); ok {
				wanted[c.object][id] = true
			}
		}
	}
	for object, ids := range wanted {
		if err := n.find(ctx, object, ids); err != nil {
			return err
		}
	}
	return nil
}

func (n *names) find(ctx context.Context, object string, ids map[uuid.UUID]bool) error {
	known := n.known[object]
	if known == nil || len(known)+len(ids) > nameWindow {
		known = map[uuid.UUID]string{}
		n.known[object] = known
	}
	maps.DeleteFunc(ids, func(id uuid.UUID, _ bool) bool { _, ok := known[id]; return ok })
	if len(ids) == 0 {
		return nil
	}
	found, err := n.k.Titles(ctx, object, slices.Collect(maps.Keys(ids)))
	if err != nil {
		return err
	}
	for id := range ids {
		known[id] = found[id]
	}
	return nil
}

func (n *names) of(object string, id any) string {
	u, ok := id.(uuid.UUID)
	if !ok {
		return ""
	}
	return n.known[object][u]
}
