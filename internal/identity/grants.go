package identity

import (
	"context"
	"maps"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/record"
)

// exceeds tells whether want allows anything that have does not. Both sides are asked
// about every object either of them names, and about all others ("*").
func exceeds(have, want auth.Grants) bool {
	objects := map[string]bool{"*": true}
	for _, g := range []auth.Grants{have, want} {
		for k := range maps.Keys(g) {
			object, _, _ := strings.Cut(k, ":")
			objects[object] = true
		}
	}
	for object := range objects {
		for _, action := range actions {
			if reach(want, object, action) > reach(have, object, action) {
				return true
			}
		}
	}
	return false
}

// reach is how far a right goes; a role that does not speak of exports exports what it
// reads, and one that does not speak of a field ("contact.email") has it as the record.
func reach(g auth.Grants, object string, action auth.Action) auth.Scope {
	if f, ok := auth.ParseFieldGrant(object + ":" + string(action)); ok {
		if limit, limited := g[object+":"+string(action)]; limited && limit == auth.None {
			return auth.None
		}
		return reach(g, f.Object, action)
	}
	if action == auth.Export && !speaksOf(g, object, action) {
		action = auth.Read
	}
	return g.Scope(object, action)
}

func speaksOf(g auth.Grants, object string, action auth.Action) bool {
	_, here := g[object+":"+string(action)]
	_, everywhere := g["*:"+string(action)]
	return here || everywhere
}

var errMoreRights = errs.New(errs.Forbidden, "more_rights", "This role may do more than yours, so you can neither hand it out nor change whoever has it. Ask an admin who may do as much.")

// within refuses roles that allow more than the actor may. The product itself and the
// command line act without bounds.
func within(ctx context.Context, tx pgx.Tx, roles ...uuid.UUID) error {
	a, err := auth.Must(ctx)
	if err != nil || a.Kind == auth.System || len(roles) == 0 {
		return err
	}
	rows, err := tx.Query(ctx, `select grants from roles where tenant_id = app_tenant() and id = any($1)`, roles)
	if err != nil {
		return err
	}
	list, err := pgx.CollectRows(rows, pgx.RowTo[map[string]any])
	for _, g := range list {
		if exceeds(a.Grants, (&Role{Grants: g}).grants()) {
			return errMoreRights
		}
	}
	return err
}

// roleChanges refuses to hand out more rights than the actor has, and to touch the
// account of somebody with more: whoever sets the address of an admin is that admin.
func roleChanges(ctx context.Context, tx pgx.Tx, changes []record.TypedChange[User]) error {
	a, err := auth.Must(ctx)
	if err != nil {
		return err
	}
	var roles []uuid.UUID
	for _, c := range changes {
		moved := c.Old == nil || !same(c.Old.RoleID, c.New.RoleID)
		if moved && c.New.RoleID != nil {
			roles = append(roles, *c.New.RoleID)
		}
		if c.Old != nil && c.Old.RoleID != nil && (moved || c.Old.ID != a.ID) {
			roles = append(roles, *c.Old.RoleID)
		}
	}
	return within(ctx, tx, roles...)
}

func same(a, b *uuid.UUID) bool { return a == b || a != nil && b != nil && *a == *b }

// mayManage lets admins at somebody's way of signing in, unless that somebody may do
// more than they.
func (s *Service) mayManage(ctx context.Context, user uuid.UUID) error {
	if _, _, err := auth.Require(ctx, "user", auth.Update); err != nil {
		return err
	}
	u, err := s.Users.Get(ctx, user)
	if err != nil {
		return err
	}
	return s.db.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		if u.RoleID == nil {
			return nil
		}
		return within(ctx, tx, *u.RoleID)
	})
}

// grantsWithin refuses to make or change a role beyond the actor's own rights.
func grantsWithin(ctx context.Context, old, now *Role) error {
	a, err := auth.Must(ctx)
	if err != nil || a.Kind == auth.System {
		return err
	}
	if exceeds(a.Grants, now.grants()) || old != nil && exceeds(a.Grants, old.grants()) {
		return errMoreRights
	}
	return nil
}
