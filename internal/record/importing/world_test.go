package importing_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/blob"
	"crm/internal/platform/id"
	"crm/internal/platform/money"
	"crm/internal/record"
	"crm/internal/record/importing"
	"crm/internal/record/recordtest"
)

// Look-alikes of the contexts' objects, over their real tables.
type (
	user struct {
		record.Base
		Name      string     `crm:"name,text,required,title"`
		Email     string     `crm:"email,email,unique"`
		RoleID    *uuid.UUID `crm:"role_id,relation,required,target=role"`
		ManagerID *uuid.UUID `crm:"manager_id,user,target=user"`
		State     string     `crm:"state,select,options=active|invited|disabled,default=active"`
	}
	team struct {
		record.Base
		Name     string     `crm:"name,text,required,title"`
		ParentID *uuid.UUID `crm:"parent_id,relation,target=team"`
	}
	role struct {
		record.Base
		Key  string `crm:"key,text,required"`
		Name string `crm:"name,text,required,title"`
	}
	account struct {
		record.Base
		Name           string        `crm:"name,text,required,search,title"`
		Domain         string        `crm:"domain,text,search"`
		Industry       string        `crm:"industry,text"`
		Employees      *int64        `crm:"employees,integer"`
		AnnualRevenue  *money.Amount `crm:"annual_revenue,money"`
		Phone          string        `crm:"phone,phone"`
		Website        string        `crm:"website,url"`
		ParentID       *uuid.UUID    `crm:"parent_id,relation,target=account" label:"Parent company"`
		BillingAddress any           `crm:"billing_address,address"`
	}
	contact struct {
		record.Base
		FirstName string     `crm:"first_name,text,search,title"`
		LastName  string     `crm:"last_name,text,search,title"`
		Email     string     `crm:"email,email,search"`
		Phone     string     `crm:"phone,phone"`
		Phones    any        `crm:"phones,json"`
		Title     string     `crm:"title,text"`
		AccountID *uuid.UUID `crm:"account_id,relation,target=account" label:"Company"`
		Lifecycle string     `crm:"lifecycle,select,options=subscriber|lead|opportunity|customer"`
		Source    string     `crm:"source,text"`
		Address   any        `crm:"address,address"`
		DoNot     bool       `crm:"do_not_contact,boolean,default=false"`
	}
	lead struct {
		record.Base
		FirstName string `crm:"first_name,text,search,title"`
		LastName  string `crm:"last_name,text,search,title"`
		Email     string `crm:"email,email,search"`
		Phone     string `crm:"phone,phone"`
		Company   string `crm:"company,text,search"`
		Title     string `crm:"title,text"`
		Industry  string `crm:"industry,text"`
		Employees *int64 `crm:"employees,integer"`
		Source    string `crm:"source,text"`
		Status    string `crm:"status,select,options=new|working|nurturing|qualified|disqualified|converted,default=new"`
		Score     *int64 `crm:"score,integer,readonly"`
	}
	product struct {
		record.Base
		Name   string        `crm:"name,text,required,search,title"`
		Code   string        `crm:"code,text,unique"`
		Price  *money.Amount `crm:"price,money"`
		Family string        `crm:"family,text"`
		Active bool          `crm:"active,boolean,default=true"`
	}
	pipelineRow struct {
		record.Base
		Name      string `crm:"name,text,required,title"`
		Position  int64  `crm:"position,integer,default=0"`
		IsDefault bool   `crm:"is_default,boolean,default=false"`
	}
	stageRow struct {
		record.Base
		PipelineID  *uuid.UUID `crm:"pipeline_id,relation,required,target=pipeline"`
		Name        string     `crm:"name,text,required,title"`
		Position    *int64     `crm:"position,integer,default=0"`
		Probability *int64     `crm:"probability,integer"`
		Kind        string     `crm:"kind,select,options=open|won|lost,default=open"`
	}
	deal struct {
		record.Base
		Name              string        `crm:"name,text,required,search,title"`
		AccountID         *uuid.UUID    `crm:"account_id,relation,target=account"`
		ContactID         *uuid.UUID    `crm:"contact_id,relation,target=contact"`
		ProductID         *uuid.UUID    `crm:"product_id,relation,target=product"`
		PipelineID        *uuid.UUID    `crm:"pipeline_id,relation,required,target=pipeline"`
		StageID           *uuid.UUID    `crm:"stage_id,relation,required,target=stage"`
		Amount            *money.Amount `crm:"amount,money"`
		ExpectedCloseDate *time.Time    `crm:"expected_close_date,date"`
		Status            string        `crm:"status,select,readonly,history,options=open|won|lost,default=open"`
		ClosedAt          *time.Time    `crm:"closed_at,datetime,readonly,history"`
		LostReason        string        `crm:"lost_reason,text"`
	}
)

// world is a tenant with every object, two reps' worth of roles, and a place for files.
type world struct {
	*recordtest.Env
	t     testing.TB
	s     *importing.Service
	files string
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{Env: recordtest.New(t), t: t, files: t.TempDir()}
	register[role](w, record.Definition{Name: "role", Plural: "roles", Label: "Role", LabelPlural: "Roles"})
	register[team](w, record.Definition{Name: "team", Plural: "teams", Label: "Team", LabelPlural: "Teams"})
	register[user](w, record.Definition{Name: "user", Plural: "users", Label: "User", LabelPlural: "Users"})
	register[account](w, record.Definition{Name: "account", Plural: "accounts", Label: "Company", LabelPlural: "Companies", Owned: true})
	register[contact](w, record.Definition{Name: "contact", Plural: "contacts", Label: "Contact", LabelPlural: "Contacts", Owned: true})
	register[lead](w, record.Definition{Name: "lead", Plural: "leads", Label: "Lead", LabelPlural: "Leads", Owned: true})
	register[product](w, record.Definition{Name: "product", Plural: "products", Label: "Product", LabelPlural: "Products"})
	register[pipelineRow](w, record.Definition{Name: "pipeline", Plural: "pipelines", Label: "Pipeline", LabelPlural: "Pipelines"})
	register[stageRow](w, record.Definition{Name: "stage", Plural: "stages", Label: "Stage", LabelPlural: "Stages"})
	register[deal](w, record.Definition{Name: "deal", Plural: "deals", Label: "Deal", LabelPlural: "Deals", Owned: true})
	w.exec(`insert into roles (tenant_id, id, key, name, created_at, updated_at) values ($1, $2, 'sales_rep', 'Sales Rep', now(), now()), ($1, $3, 'sales_manager', 'Sales Manager', now(), now())`, w.Tenant, id.New(), id.New())
	w.s = importing.New(importing.Deps{Kernel: w.K, Files: w.dir(), Log: slog.New(slog.DiscardHandler), Now: time.Now})
	return w
}

func register[T any](w *world, d record.Definition) {
	w.t.Helper()
	if _, err := record.Register[T](w.K, d, record.HooksFor[T]{}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) dir() *blob.Dir {
	w.t.Helper()
	d, err := blob.OpenDir(w.files)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = d.Close() })
	return d
}

func (w *world) exec(sql string, args ...any) {
	w.t.Helper()
	if _, err := w.SQL.Owner.Exec(w.t.Context(), sql, args...); err != nil {
		w.t.Fatal(err)
	}
}

// pipeline makes the default pipeline with the stages of a sales team.
func (w *world) pipeline(stages ...string) {
	w.t.Helper()
	p := id.New()
	w.exec(`insert into pipelines (tenant_id, id, name, is_default, created_at, updated_at) values ($1, $2, 'Sales', true, now(), now())`, w.Tenant, p)
	for i, s := range stages {
		kind := map[string]string{"Won": "won", "Lost": "lost"}[s]
		if kind == "" {
			kind = "open"
		}
		w.exec(`insert into stages (tenant_id, id, pipeline_id, name, position, probability, kind, created_at, updated_at) values ($1, $2, $3, $4, $5, 0, $6, now(), now())`, w.Tenant, id.New(), p, s, i, kind)
	}
}

// imports runs a text through to its end.
func (w *world) imports(ctx context.Context, text string, o importing.Options) *importing.Import {
	w.t.Helper()
	o.Reader = strings.NewReader(text)
	imp, err := w.s.Create(ctx, o)
	if err != nil {
		w.t.Fatalf("create: %v", err)
	}
	return w.run(ctx, imp)
}

func (w *world) importsFile(ctx context.Context, path string, o importing.Options) *importing.Import {
	w.t.Helper()
	f, err := os.Open(path)
	if err != nil {
		w.t.Fatal(err)
	}
	defer f.Close()
	o.Reader, o.FileName = f, filepath.Base(path)
	imp, err := w.s.Create(ctx, o)
	if err != nil {
		w.t.Fatalf("create: %v", err)
	}
	return w.run(ctx, imp)
}

func (w *world) run(ctx context.Context, imp *importing.Import) *importing.Import {
	w.t.Helper()
	imp, err := w.s.Run(ctx, imp.ID, nil)
	if err != nil {
		w.t.Fatalf("run: %v", err)
	}
	return imp
}

// count runs "select count(*) from" as the owner, who sees all tenants.
func (w *world) count(from string, args ...any) int64 {
	w.t.Helper()
	var n int64
	if err := w.SQL.Owner.QueryRow(w.t.Context(), "select count(*) from "+from, args...).Scan(&n); err != nil {
		w.t.Fatal(err)
	}
	return n
}

func (w *world) column(sql string, args ...any) []string {
	w.t.Helper()
	rows, err := w.SQL.Owner.Query(w.t.Context(), sql, args...)
	if err != nil {
		w.t.Fatal(err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

// fates is the counters in one comparable text.
func fates(i *importing.Import) string {
	return fmt.Sprintf("%s read=%d created=%d updated=%d skipped=%d failed=%d", i.State, i.Read, i.Created, i.Updated, i.Skipped, i.Failed)
}

func (w *world) want(i *importing.Import, fate string) {
	w.t.Helper()
	if got := fates(i); got != fate {
		reasons := w.column("select distinct field || ': ' || reason from import_errors where import_id = $1 limit 5", i.ID)
		w.t.Errorf("%s %s:\ngot  %s\nwant %s\nerror %q, warnings %+v\nrefused %s", i.Object, i.FileName, got, fate, i.Error, i.Warnings, strings.Join(reasons, "\n"))
	}
}

// data finds a file of the real data. Without it the test uses what make writes, says
// so aloud, and fails where that must not be (CI).
func data(t testing.TB, name string, generate func() string) string {
	t.Helper()
	dir := os.Getenv("CRM_TEST_DATA")
	if dir == "" {
		dir = filepath.Join(moduleRoot(t), "..", "shared", "data")
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err == nil {
		return path
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("test data %s is missing: set CRM_TEST_DATA", path)
	}
	t.Logf("ATTENTION: %s is missing, a generated look-alike is used; set CRM_TEST_DATA to test with the real file", path)
	made := filepath.Join(t.TempDir(), filepath.Base(name))
	if err := os.WriteFile(made, []byte(generate()), 0o600); err != nil {
		t.Fatal(err)
	}
	return made
}

func moduleRoot(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	for err == nil && dir != "/" {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		dir = filepath.Dir(dir)
	}
	t.Fatal("no go.mod above the test")
	return ""
}
