package identity

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"golang.org/x/text/language"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/record"
)

// User is a person who signs in.
type User struct {
	record.Base
	Name      string     `crm:"name,text,required,search,title"`
	Email     string     `crm:"email,email,unique,search"`
	RoleID    *uuid.UUID `crm:"role_id,relation,target=role,required" label:"Role"`
	ManagerID *uuid.UUID `crm:"manager_id,user,target=user" label:"Manager"`
	State     string     `crm:"state,select,options=active:good|invited:accent|disabled,default=active"`
	TimeZone  string     `crm:"time_zone,text"`
	Language  string     `crm:"language,text"`
	Theme     string     `crm:"theme,select,options=light|dark"`
}

// Team is a group of users; ParentID makes a tree.
type Team struct {
	record.Base
	Name     string     `crm:"name,text,required,unique,search,title"`
	ParentID *uuid.UUID `crm:"parent_id,relation,target=team" label:"Parent team"`
}

// Role is a named set of grants: "contact:read" → "team".
type Role struct {
	record.Base
	Key         string         `crm:"key,text,required,unique"`
	Name        string         `crm:"name,text,required,title"`
	Description string         `crm:"description,text"`
	BuiltIn     bool           `crm:"built_in,boolean,readonly" label:"Built in"`
	Grants      map[string]any `crm:"grants,json"`
}

// grants reads the role's document; what is not understood grants nothing.
func (r *Role) grants() auth.Grants {
	g := auth.Grants{}
	for k, v := range r.Grants {
		if s, ok := v.(string); ok {
			g[k] = auth.ParseScope(s)
		}
	}
	return g
}

// Keys of the built-in roles.
const (
	TenantAdmin  = "tenant_admin"
	SalesManager = "sales_manager"
	SalesRep     = "sales_rep"
	SystemAdmin  = "system_admin"
)

var salesObjects = []string{"contact", "account", "lead", "deal", "activity", "message"}

// everyoneReads are settings that the work needs.
var everyoneReads = []string{"user", "team", "pipeline", "stage", "product", "template", "lead_form", "scoring_model", "view", "segment", "custom_object"}

func salesGrants(scope string, actions ...auth.Action) map[string]any {
	g := map[string]any{}
	for _, o := range salesObjects {
		for _, a := range actions {
			g[o+":"+string(a)] = scope
		}
	}
	for _, o := range everyoneReads {
		g[o+":read"] = "all"
	}
	// Everybody keeps views of their own, and segments in their reach; a view says
	// itself who else has it.
	g["view:create"], g["view:update"], g["view:delete"] = "own", "own", "own"
	g["segment:create"], g["segment:update"], g["segment:delete"] = "own", scope, scope
	return g
}

// builtInRoles are made with each tenant. System Admin is the operator: it has
// the tenant's settings, not its records.
func builtInRoles() []*Role {
	rep := salesGrants("own", auth.Create, auth.Read, auth.Update)
	rep["activity:delete"] = "own"
	return []*Role{
		{
			Key: TenantAdmin, Name: "Tenant Admin", BuiltIn: true, Description: "Everything in this workspace.",
			Grants: map[string]any{"*:create": "all", "*:read": "all", "*:update": "all", "*:delete": "all", "*:execute": "all", "*:purge": "all"},
		},
		{
			Key: SalesManager, Name: "Sales Manager", BuiltIn: true, Description: "All sales work of their teams.",
			Grants: salesGrants("team", auth.Create, auth.Read, auth.Update, auth.Delete, auth.Execute),
		},
		{Key: SalesRep, Name: "Sales Rep", BuiltIn: true, Description: "The records they own.", Grants: rep},
		{
			Key: SystemAdmin, Name: "System Admin", BuiltIn: true, Description: "Runs the installation: users, settings and health.",
			Grants: map[string]any{
				"tenant:read": "all", "tenant:update": "all", "user:create": "all", "user:read": "all", "user:update": "all", "user:delete": "all",
				"team:read": "all", "team:create": "all", "team:update": "all", "role:read": "all", "system:read": "all", "system:execute": "all",
			},
		},
	}
}

func (s *Service) register(k *record.Kernel) error {
	var err error
	if s.Users, err = record.Register[User](k, record.Definition{
		Name: "user", Plural: "users", Label: "User", LabelPlural: "Users", System: true,
		DefaultSort: "name", ListFields: []string{"name", "email", "role_id", "team_id", "state", "created_at"},
	},
		record.HooksFor[User]{Before: s.checkUsers, After: s.afterUsers}); err != nil {
		return err
	}
	if s.Teams, err = record.Register[Team](k, record.Definition{
		Name: "team", Plural: "teams", Label: "Team", LabelPlural: "Teams", System: true,
		DefaultSort: "name", ListFields: []string{"name", "parent_id", "created_at"},
	}, record.HooksFor[Team]{After: s.afterTeams}); err != nil {
		return err
	}
	s.Roles, err = record.Register[Role](k, record.Definition{
		Name: "role", Plural: "roles", Label: "Role", LabelPlural: "Roles", System: true, NoSearch: true,
		DefaultSort: "name", ListFields: []string{"name", "key", "description", "built_in"},
	},
		record.HooksFor[Role]{Before: rolesChecked(k), After: s.afterRoles})
	return err
}

func (s *Service) checkUsers(ctx context.Context, tx pgx.Tx, changes []record.TypedChange[User]) error {
	a, err := auth.Must(ctx)
	if err != nil {
		return err
	}
	if err := roleChanges(ctx, tx, changes); err != nil {
		return err
	}
	for _, c := range changes {
		if err := c.New.checkPlace(); err != nil {
			return err
		}
		if c.New.State == "active" && c.New.Email == "" {
			c.New.State = "invited"
		}
		if c.Old != nil && c.Old.ID == a.ID && (c.New.State != "active" || c.New.DeletedAt != nil) {
			return errs.New(errs.Conflict, "own_account", "You cannot disable or delete your own account; ask another admin.")
		}
	}
	return nil
}

// afterUsers ends the sessions of people who may no longer come in, and of those with
// another role: what a session may do does not grow under it.
func (s *Service) afterUsers(ctx context.Context, tx pgx.Tx, changes []record.TypedChange[User]) error {
	var out []uuid.UUID
	for _, c := range changes {
		if c.New.State != "active" || c.New.DeletedAt != nil || c.Old != nil && !same(c.Old.RoleID, c.New.RoleID) {
			out = append(out, c.New.ID)
		}
	}
	s.forgetActors(ctx)
	if len(out) == 0 {
		return nil
	}
	_, err := tx.Exec(ctx, `delete from sessions where tenant_id = app_tenant() and user_id = any($1)`, out)
	return err
}

// checkPlace refuses time zones and languages nothing could be shown in.
func (u *User) checkPlace() error {
	if u.TimeZone != "" && !knownZone(u.TimeZone) {
		return errs.Field("time_zone", "bad_time_zone", "%q is no time zone. Use a name like Europe/Berlin.", u.TimeZone)
	}
	if _, err := language.Parse(u.Language); u.Language != "" && err != nil {
		return errs.Field("language", "bad_language", "%q is no language. Use a tag like en or de-CH.", u.Language)
	}
	return nil
}

func knownZone(name string) bool {
	_, err := time.LoadLocation(name)
	return err == nil && name != "Local" && name != ""
}

func (s *Service) afterTeams(ctx context.Context, _ pgx.Tx, _ []record.TypedChange[Team]) error {
	s.forgetActors(ctx)
	return nil
}

func (s *Service) afterRoles(ctx context.Context, _ pgx.Tx, _ []record.TypedChange[Role]) error {
	s.forgetActors(ctx)
	return nil
}

func rolesChecked(k *record.Kernel) func(context.Context, pgx.Tx, []record.TypedChange[Role]) error {
	return func(ctx context.Context, tx pgx.Tx, changes []record.TypedChange[Role]) error {
		return checkRoles(ctx, k, tx, changes)
	}
}

// checkRoles keeps the built-in roles as documented, refuses grants nobody would
// understand or that reach further than who gives them, and keeps a role as long as
// somebody acts with it: its rights would otherwise live on unseen.
func checkRoles(ctx context.Context, k *record.Kernel, tx pgx.Tx, changes []record.TypedChange[Role]) error {
	for _, c := range changes {
		if c.Old != nil && c.Old.BuiltIn {
			return errs.New(errs.Conflict, "built_in_role", "The built-in roles cannot be changed. Make a role of your own instead.")
		}
		for k, v := range c.New.Grants {
			if !understood(k, v) {
				return errs.Field("grants", "bad_grant", `A grant is "object:action": "none", "own", "team" or "all"; actions are create, read, update, delete, purge, execute and export.`)
			}
		}
		// A grant on a field is judged when it is written: the field may go later.
		if c.New.DeletedAt == nil && (c.Old == nil || c.Changed("grants")) {
			if err := checkFieldGrants(ctx, k, c.New.grants()); err != nil {
				return err
			}
		}
		if err := grantsWithin(ctx, c.Old, c.New); err != nil {
			return err
		}
		if c.New.DeletedAt == nil {
			continue
		}
		if err := unused(ctx, tx, c.New.ID); err != nil {
			return err
		}
	}
	return nil
}

func checkFieldGrants(ctx context.Context, k *record.Kernel, grants auth.Grants) error {
	for _, key := range slices.Sorted(maps.Keys(grants)) {
		g, ok := auth.ParseFieldGrant(key)
		if !ok {
			continue
		}
		if err := k.CheckFieldGrant(ctx, g, grants[key]); err != nil {
			return err
		}
	}
	return nil
}

var actions = []auth.Action{auth.Create, auth.Read, auth.Update, auth.Delete, auth.Execute, auth.Purge, auth.Export}

func understood(grant string, value any) bool {
	object, action, _ := strings.Cut(grant, ":")
	scope, _ := value.(string)
	return object != "" && slices.Contains(actions, auth.Action(action)) && auth.ParseScope(scope).String() == scope
}

func unused(ctx context.Context, tx pgx.Tx, role uuid.UUID) error {
	var used bool
	err := tx.QueryRow(ctx, `select exists (select from users where tenant_id = app_tenant() and role_id = $1 and deleted_at is null)
	  or exists (select from api_keys where tenant_id = app_tenant() and role_id = $1 and revoked_at is null)`, role).Scan(&used)
	if err != nil || !used {
		return err
	}
	return errs.New(errs.Conflict, "role_in_use", "Users or API keys still have this role. Give them another one, then delete it.")
}
