package importing

import (
	"maps"

	"crm/internal/record"
)

// clearable reports whether an empty cell of the column may take a value away. A name
// in one cell, an entry of a list and what a record cannot be without are left alone.
func (c *column) clearable() bool {
	switch c.target.kind {
	case plain, relation:
		return !c.target.field.Required && !c.target.field.Unique && !c.target.field.History
	case part:
		return true
	}
	return false
}

// cleared is the patch of a row for a record that is there, with empty cells as nil
// where that was asked for.
func (at *attempt) cleared(i int) record.Patch {
	p := at.patches[i]
	if len(at.drafts[i].clears) == 0 {
		return p
	}
	p = maps.Clone(p)
	for _, c := range at.drafts[i].clears {
		if _, set := p[c.target.name]; !set && c.target.kind != part {
			p[c.target.name] = nil
		}
	}
	return p
}

// clearParts takes single parts out of an address.
func (at *attempt) clearParts(i int, p record.Patch, old *record.Record) {
	for _, c := range at.drafts[i].clears {
		if c.target.kind != part {
			continue
		}
		now, _ := p[c.target.name].(map[string]any)
		if now == nil {
			now, _ = old.Get(c.target.name).(map[string]any)
		}
		if now[c.target.part] == nil {
			continue
		}
		now = maps.Clone(now)
		delete(now, c.target.part)
		p[c.target.name] = now
		if len(now) == 0 {
			p[c.target.name] = nil
		}
	}
}
