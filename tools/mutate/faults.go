package main

// fault is a mistake somebody could make: one piece of one file is another one, and
// the named tests of one package must fail for it.
type fault struct {
	name    string
	file    string // below the root
	old     string // stands there exactly once
	new     string
	pkg     string // whose tests are run
	tests   []string
	example string // the kind of hole it would be, for whoever reads the report
}

const app = "./internal/app"

// faults are planted one by one. Each compiles; what it takes away is a single check.
var faults = []fault{
	{
		name: "a table without row level security", file: "migrations/20261121091200_record_imports.sql",
		old: "select app_protect_tenant_table('import_errors');", new: "grant select, insert, update, delete on import_errors to crm_app;",
		pkg: app, tests: []string{"TestEveryTenantTableHasItsPolicy"}, example: "every tenant reads the failed rows of all imports",
	},
	{
		name: "policies without WITH CHECK", file: "migrations/20261121090000_platform_base.sql",
		old: "'using (tenant_id = public.app_tenant()) with check (tenant_id = public.app_tenant())', target);", new: "'using (tenant_id = public.app_tenant()) with check (true)', target);",
		pkg: app, tests: []string{"TestEveryTenantTableHasItsPolicy"}, example: "a tenant writes rows into another one",
	},
	{
		name: "lists without the scope of the role", file: "internal/record/sql.go",
		old: "\tif !d.Owned || scope == auth.All {\n\t\treturn \"\"", new: "\tif !d.Owned || scope != auth.None {\n\t\treturn \"\"",
		pkg: "./internal/record", tests: []string{"TestSQLAndMemoryAgree", "TestScopeHidesOthersRecords"}, example: "a sales rep lists everybody's leads",
	},
	{
		name: "records without the scope of the role", file: "internal/record/sql.go",
		old: "return owner != uuid.Nil && owner == a.ID\n", new: "return owner != uuid.Nil || owner == a.ID\n",
		pkg: "./internal/record", tests: []string{"TestSQLAndMemoryAgree", "TestScopeHidesOthersRecords"}, example: "a sales rep changes a record by its id",
	},
	{
		name: "hidden fields are shown", file: "internal/record/kernel.go",
		old: "if limits := fieldLimits(ctx, object); len(limits) > 0 {", new: "if limits := fieldLimits(ctx, object); len(limits) > 1000 {",
		pkg: app, tests: []string{"TestAReadOnlyFieldIsNotSet", "TestSearchTellsNothingOfHiddenFields"}, example: "a role's limits on fields do nothing",
	},
	{
		name: "cursors of any tenant", file: "internal/record/cursor.go",
		old: "c.Tenant != tenant.String()[24:] || c.Sort != sort", new: "c.Sort != sort",
		pkg: app, tests: []string{"TestForeignCursors"}, example: "a cursor carries another tenant's values",
	},
	{
		name: "If-Match is not compared", file: "internal/record/expect.go",
		old: "case len(e.Versions) > 0 && !slices.Contains(e.Versions, r.Version()):", new: "case len(e.Versions) > 1000 && !slices.Contains(e.Versions, r.Version()):",
		pkg: "./internal/record/recordhttp", tests: []string{"TestIfMatchHoldsForEveryChange"}, example: "two people overwrite each other",
	},
	{
		name: "read-only fields are taken", file: "internal/record/patch.go",
		old: "if f.ReadOnly && !(src == FromImport && f.History) {", new: "if f.ReadOnly && f.locked && !(src == FromImport && f.History) {",
		pkg: app, tests: []string{"TestNobodyAssignsInBulk"}, example: "a caller sets version, created_by or a score",
	},
	{
		name: "routes ask for no right", file: "internal/platform/rest/rest.go",
		old: "\t_, _, err := auth.Require(ctx, route.Object, route.Action)\n\treturn err", new: "\t_, err := auth.Must(ctx)\n\treturn err",
		pkg: app, tests: []string{"TestRoleMatrix"}, example: "what is checked at the edge alone is open",
	},
	{
		name: "bodies of any type", file: "internal/platform/rest/decode.go",
		old: `case ct == "application/json", ct`, new: `case ct != "nothing", ct`,
		pkg: app, tests: []string{"TestOnlyJSONIsJSON"}, example: "pages of other sites send what a browser sends unasked",
	},
	{
		name: "a save before the refusal", file: "internal/record/recordhttp/api.go",
		old: "id, a.shaped(o, a.update(o)), shapeParams", new: "id, a.update(o), shapeParams",
		pkg: app, tests: []string{"TestAShapeIsRefusedBeforeTheSave"}, example: "the answer is 400, and the record is another one",
	},
}
