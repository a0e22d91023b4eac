package tenantfile

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Table is a table of tenants as the catalogue describes it.
type Table struct {
	Name    string
	Columns []Column
	Key     []string // primary key
	Links   []Link   // foreign keys, to this table itself included
}

// Column is one column that is stored (not generated).
type Column struct {
	Name     string
	Type     string
	Required bool
}

// Link is a foreign key to another table of tenants, without its tenant_id.
type Link struct {
	To      string
	Columns []string
}

// place reports whether the column holds places in the journal.
func (c Column) place() bool {
	return c.Type == "bigint" && (c.Name == "seq" || strings.HasSuffix(c.Name, "_seq"))
}

func (t *Table) column(name string) (Column, bool) {
	i := slices.IndexFunc(t.Columns, func(c Column) bool { return c.Name == name })
	if i < 0 {
		return Column{}, false
	}
	return t.Columns[i], true
}

// mayBeEmpty reports whether the link can be left open at first.
func (t *Table) mayBeEmpty(l Link) bool {
	for _, name := range l.Columns {
		if c, _ := t.column(name); c.Required {
			return false
		}
	}
	return len(l.Columns) > 0
}

const (
	sqlTables = `select c.relname, array(
	    select a.attname::text from pg_index i join unnest(i.indkey) with ordinality k(n, pos) on true
	    join pg_attribute a on a.attrelid = c.oid and a.attnum = k.n where i.indrelid = c.oid and i.indisprimary order by k.pos)
	  from pg_class c join pg_attribute t on t.attrelid = c.oid and t.attname = 'tenant_id' and not t.attisdropped
	  where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition order by c.relname`

	sqlColumns = `select c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull
	  from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
	  where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition order by c.relname, a.attnum`

	sqlLinks = `select f.conrelid::regclass::text, f.confrelid::regclass::text, array(
	    select a.attname::text from unnest(f.conkey) k(n) join pg_attribute a on a.attrelid = f.conrelid and a.attnum = k.n where a.attname <> 'tenant_id')
	  from pg_constraint f where f.contype = 'f' and f.connamespace = 'public'::regnamespace and f.conparentid = 0 order by f.conname`
)

// Catalogue describes every table of tenants, in name order.
func Catalogue(ctx context.Context, tx pgx.Tx) ([]*Table, error) {
	byName := map[string]*Table{}
	var out []*Table
	var name, column, typ, to string
	var names []string
	var required bool
	err := each(ctx, tx, sqlTables, []any{&name, &names}, func() {
		t := &Table{Name: name, Key: slices.Clone(names)}
		byName[name] = t
		out = append(out, t)
	})
	if err != nil {
		return nil, err
	}
	err = each(ctx, tx, sqlColumns, []any{&name, &column, &typ, &required}, func() {
		if t := byName[name]; t != nil {
			t.Columns = append(t.Columns, Column{column, typ, required})
		}
	})
	if err != nil {
		return nil, err
	}
	err = each(ctx, tx, sqlLinks, []any{&name, &to, &names}, func() {
		if t := byName[name]; t != nil && byName[to] != nil {
			t.Links = append(t.Links, Link{to, slices.Clone(names)})
		}
	})
	return out, err
}

func each(ctx context.Context, tx pgx.Tx, sql string, into []any, fn func()) error {
	rows, err := tx.Query(ctx, sql)
	if err != nil {
		return fmt.Errorf("read the catalogue: %w", err)
	}
	_, err = pgx.ForEachRow(rows, into, func() error { fn(); return nil })
	return err
}

// inOrder sorts tables so that what is pointed to comes first. late are the columns, by
// table, that must be filled in a second round: those of links to the table itself, and
// those that close a circle.
func inOrder(tables []*Table) (order []*Table, late map[string][]string, err error) {
	late = map[string][]string{}
	known := map[string]bool{}
	for _, t := range tables {
		known[t.Name] = true
	}
	placed := map[string]bool{}
	for len(order) < len(tables) {
		next := pick(tables, placed, known, func(t *Table, l Link) bool { return l.To == t.Name && t.mayBeEmpty(l) })
		if next == nil { // a circle: open it where a table can wait for all of what it lacks
			next = pick(tables, placed, known, (*Table).mayBeEmpty)
		}
		if next == nil {
			return nil, nil, fmt.Errorf("tables point to each other in a circle that nothing opens")
		}
		for _, l := range next.Links {
			if known[l.To] && !placed[l.To] {
				late[next.Name] = append(late[next.Name], l.Columns...)
			}
		}
		placed[next.Name] = true
		order = append(order, next)
	}
	return order, late, nil
}

// pick finds the first table whose links all lead to placed tables or may wait.
func pick(tables []*Table, placed, known map[string]bool, mayWait func(*Table, Link) bool) *Table {
	for _, t := range tables {
		if placed[t.Name] {
			continue
		}
		blocked := slices.ContainsFunc(t.Links, func(l Link) bool { return known[l.To] && !placed[l.To] && !mayWait(t, l) })
		if !blocked {
			return t
		}
	}
	return nil
}
