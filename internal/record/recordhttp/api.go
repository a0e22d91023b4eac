// Package recordhttp gives every object of the kernel its REST calls: list, get,
// create, patch, delete, restore, purge, upsert, batch, duplicates, merge, timeline,
// schema, and the journal's calls (changes, undo, search). A custom object gets
// them all on the day it is made. The grammar is the contract's, section 4.
package recordhttp

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/platform/id"
	"crm/internal/platform/rest"
	"crm/internal/record"
)

// API serves the kernel's objects.
type API struct {
	k     *record.Kernel
	undos Undos
}

// New makes the API of a kernel. Batches of any size are undone within the
// request; see WithUndos.
func New(k *record.Kernel) *API { return &API{k: k, undos: inline{k}} }

// Routes is the table for every registered object. ReadOnly objects (written by
// acts only) get no write calls.
func (a *API) Routes(readOnly ...string) []rest.Route {
	var out []rest.Route
	for _, o := range a.k.Objects() {
		out = append(out, a.reads(o)...)
		if !slices.Contains(readOnly, o.Def.Name) {
			out = append(out, a.writes(o)...)
		}
	}
	out = append(append(out, a.journalRoutes()...), customRoutes(a)...)
	return append(append(out, a.ownRoutes()...), a.customObjectRoutes()...)
}

func (a *API) reads(o *record.Object) []rest.Route {
	d := o.Def
	one, many := rest.Ref(schemaName(d)), strings.ToLower(d.LabelPlural)
	id := map[string]string{"id": d.Name}
	route := func(path, name, summary string, answer rest.Schema, h rest.Handler) rest.Route {
		return rest.Route{Method: "GET", Path: "/" + d.Plural + path, Name: d.Plural + "." + name, Summary: summary, Tag: d.Plural, Object: d.Name, Action: auth.Read, Answer: answer, Handle: h}
	}
	list := route("", "list", "List "+many, listAnswer(one), a.list(o))
	list.Params, list.Filters = listParams, true
	get := route("/{id}", "get", "Read one of the "+many+", as it is or was", one, a.get(o))
	get.Params = []rest.Param{
		{Name: "at", Description: "As it was at this moment (RFC 3339).", Schema: rest.Time},
		{Name: "redirect", Description: "false reads a merged record itself, in the bin, instead of leading to the one it became part of (308).", Schema: rest.Bool},
	}
	timeline := route("/{id}/timeline", "timeline", "What happened to one of the "+many, rest.Obj(map[string]rest.Schema{"data": rest.Array(rest.Ref("Change")), "next_cursor": rest.Nullable(rest.Str)}, "data", "next_cursor"), a.timeline(o))
	get.IDs, timeline.IDs = id, id
	get.Params, timeline.Params = append(get.Params, shapeParams...), timelineParams
	return []rest.Route{list, route("/schema", "schema", "The fields of "+many, rest.Ref("ObjectSchema"), a.schema(o)), a.aggregateRoute(o), a.duplicatesRoute(o), get, timeline}
}

func (a *API) writes(o *record.Object) []rest.Route {
	d := o.Def
	answer, input := rest.Ref(schemaName(d)), rest.Ref(schemaName(d)+"Input")
	lower := strings.ToLower(d.Label)
	one := article(lower) + " " + lower
	id := map[string]string{"id": d.Name}
	route := func(method, path, name, summary string, action auth.Action) rest.Route {
		return rest.Route{Method: method, Path: "/" + d.Plural + path, Name: d.Plural + "." + name, Summary: summary, Tag: d.Plural, Object: d.Name, Action: action, Answer: answer, Body: input}
	}
	create := route("POST", "", "create", "Create "+one, auth.Create)
	create.Status, create.Handle, create.Params = 201, a.shaped(o, a.create(o)), shapeParams
	if d.Match != nil {
		create.Body = rest.Ref(schemaName(d) + "Create")
		create.Params = append([]rest.Param{{Name: "allow_duplicate", Description: "true makes the record although a probable duplicate can be seen; else that is 409 with candidates.", Schema: rest.Bool}}, shapeParams...)
	}
	patch := route("PATCH", "/{id}", "update", "Change "+one, auth.Update)
	patch.IDs, patch.Handle, patch.Params = id, a.shaped(o, a.update(o)), shapeParams
	del := route("DELETE", "/{id}", "delete", "Move "+one+" to the bin", auth.Delete)
	del.IDs, del.Body, del.Answer, del.Status, del.Handle = id, nil, nil, 204, a.delete(o)
	del.Params = []rest.Param{{Name: "purge", Description: "true deletes for good; needs the right purge.", Schema: rest.Bool}}
	restore := route("POST", "/{id}/restore", "restore", "Bring "+one+" back from the bin, or set it back to a moment", auth.Read)
	restore.IDs, restore.Body, restore.Handle = id, rest.Obj(map[string]rest.Schema{"at": rest.Time}), a.shaped(o, a.restore(o))
	restore.Params = shapeParams
	upsert := route("PUT", "/by/{unique_field}/{value}", "upsert", "Create or change the "+lower+" with this unique value", auth.Create)
	upsert.Handle, upsert.Also, upsert.Params = a.shaped(o, a.upsert(o)), []int{201}, shapeParams
	batch := route("POST", "/batch", "batch", "Run up to 1,000 operations", auth.Read)
	batch.Body, batch.Answer, batch.Handle = batchSchema(input), batchAnswer(answer), a.batch(o)
	out := []rest.Route{create, batch, patch, del, restore, upsert}
	if d.Mergeable() {
		out = append(out, a.mergeRoute(o))
	}
	return out
}

// article is the one before a word.
func article(word string) string {
	if strings.ContainsAny(word[:1], "aeio") { // a user, a unit
		return "an"
	}
	return "a"
}

func (a *API) get(o *record.Object) rest.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		id, err := rest.PathID(r, "id")
		if err != nil {
			return err
		}
		if r.URL.RawQuery == "" {
			if done, err := whole(w, r, o, id); done || err != nil {
				return err
			}
		}
		if r.URL.Query().Get("at") != "" {
			return a.getAsOf(w, r, o, id)
		}
		rec, err := o.Get(r.Context(), id)
		if errs.KindOf(err) == errs.NotFound || (err == nil && rec.Deleted()) {
			if gone, err := a.moved(w, r, o, id); gone || err != nil {
				return err
			}
		}
		if err != nil {
			return err
		}
		// What is expanded has versions of its own, which the ETag does not cover, and
		// roll-ups move without a new one.
		if r.URL.Query().Get("expand") == "" && !rec.Def.RollsUp() && rest.NotModified(w, r, rec.Version()) {
			return nil
		}
		return a.answer(w, r, o, 200, rec)
	}
}

// whole answers with all of a living record, or with 304 to who has it already. It is
// the call that programs make most, and is written as the cache has it. It reports
// whether it answered: what was merged or deleted needs a closer look.
func whole(w http.ResponseWriter, r *http.Request, o *record.Object, id uuid.UUID) (bool, error) {
	shown, err := o.GetShown(r.Context(), id)
	if errs.KindOf(err) == errs.NotFound || (err == nil && shown.Deleted) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if !shown.Moves && rest.SameTag(w, r, shown.ETag) {
		return true, nil
	}
	w.Header().Set("ETag", shown.ETag)
	w.Header().Set("Cache-Control", "private, no-cache")
	return true, rest.Encoded(w, 200, shown.JSON)
}

// answer writes one record with its ETag, honouring fields and expand.
func (a *API) answer(w http.ResponseWriter, r *http.Request, o *record.Object, status int, rec *record.Record) error {
	only, err := a.fields(r, o)
	if err != nil {
		return err
	}
	expand, err := a.expand(r, o, []*record.Record{rec})
	if err != nil {
		return err
	}
	w.Header().Set("ETag", rest.ETag(rec.Version()))
	w.Header().Set("Cache-Control", "private, no-cache")
	return rest.Raw(w, status, rec.AppendJSON(nil, only, expand[rec.ID()]))
}

func (a *API) create(o *record.Object) rest.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		body, err := rest.Object(r)
		if err != nil {
			return err
		}
		allow, err := allowsDuplicate(r, body)
		if err != nil {
			return err
		}
		def, err := a.k.Definition(r.Context(), o.Def.Name)
		if err != nil {
			return err
		}
		patch, err := def.ParseJSON(body)
		if err != nil {
			return err
		}
		res, err := o.One(r.Context(), record.Operation{Kind: record.OpCreate, Patch: patch, Unique: !allow})
		if err != nil {
			return withCandidates(err)
		}
		w.Header().Set("Location", "/api/v1/"+o.Def.Plural+"/"+res.Record.ID().String())
		return a.answer(w, r, o, 201, res.Record)
	}
}

func (a *API) patch(r *http.Request, o *record.Object) (record.Patch, error) {
	body, err := rest.Object(r)
	if err != nil {
		return nil, err
	}
	def, err := a.k.Definition(r.Context(), o.Def.Name)
	if err != nil {
		return nil, err
	}
	return def.ParseJSON(body)
}

func (a *API) update(o *record.Object) rest.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		id, err := rest.PathID(r, "id")
		if err != nil {
			return err
		}
		patch, err := a.patch(r, o)
		if err != nil {
			return err
		}
		res, err := o.One(r.Context(), record.Operation{Kind: record.OpUpdate, ID: id, Patch: patch})
		if err != nil {
			return err
		}
		return a.answer(w, r, o, 200, res.Record)
	}
}

func (a *API) delete(o *record.Object) rest.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		forGood, err := purges(r)
		if err != nil {
			return err
		}
		if forGood {
			return a.purge(w, r, o)
		}
		if _, err := a.byID(r, o, record.OpDelete); err != nil {
			return err
		}
		return rest.NoContent(w)
	}
}

func (a *API) byID(r *http.Request, o *record.Object, kind record.OpKind) (record.Result, error) {
	id, err := rest.PathID(r, "id")
	if err != nil {
		return record.Result{}, err
	}
	return o.One(r.Context(), record.Operation{Kind: kind, ID: id})
}

func (a *API) upsert(o *record.Object) rest.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		body, err := rest.Object(r)
		if err != nil {
			return err
		}
		def, err := a.k.Definition(r.Context(), o.Def.Name)
		if err != nil {
			return err
		}
		field := rest.PathParam(r, "unique_field")
		f, ok := def.Field(field)
		if !ok || !f.Unique {
			return errs.New(errs.Malformed, "not_unique_field", "%s cannot be matched by %q. Use a unique field such as external_id.", o.Def.LabelPlural, field)
		}
		// The value in the path is a text, whatever the field's type.
		key, err := def.ParseText(map[string]string{field: rest.PathParam(r, "value")}, record.FromAPI, "")
		if err != nil {
			return err
		}
		if key[field] == nil {
			return errs.Field(field, "required", "The value of %s is needed in the path.", field)
		}
		patch, err := def.ParseJSON(body)
		if err != nil {
			return err
		}
		patch[field] = key[field]
		ctx, err := upsertExpectation(r, o)
		if err != nil {
			return err
		}
		res, err := o.One(ctx, record.Operation{Kind: record.OpUpsert, Key: field, Patch: patch})
		if err != nil {
			return err
		}
		if res.Created {
			w.Header().Set("Location", "/api/v1/"+o.Def.Plural+"/"+res.Record.ID().String())
			return a.answer(w, r, o, 201, res.Record)
		}
		return a.answer(w, r, o, 200, res.Record)
	}
}

func (a *API) list(o *record.Object) rest.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		q, err := a.query(r, o)
		if err != nil {
			return err
		}
		only, err := a.fields(r, o)
		if err != nil {
			return err
		}
		page, err := o.List(r.Context(), q)
		if err != nil {
			return err
		}
		expand, err := a.expand(r, o, page.Records)
		if err != nil {
			return err
		}
		return rest.Raw(w, 200, appendPage(page, only, expand))
	}
}

// AppendPage writes a page of a list the way lists do, for contexts that list
// records under an address of their own.
func AppendPage(page *record.Page) []byte { return appendPage(page, nil, nil) }

func appendPage(page *record.Page, only map[string]bool, expand map[uuid.UUID]map[string]*record.Record) []byte {
	out := []byte(`{"data":[`)
	for i, rec := range page.Records {
		if i > 0 {
			out = append(out, ',')
		}
		out = rec.AppendJSON(out, only, expand[rec.ID()])
	}
	out = append(out, `],"next_cursor":`...)
	if page.Next == "" {
		out = append(out, "null"...)
	} else {
		out = strconv.AppendQuote(out, page.Next)
	}
	if page.Count != nil {
		out = append(out, `,"count":`...)
		out = strconv.AppendInt(out, *page.Count, 10)
		out = append(out, `,"count_exact":`...)
		out = strconv.AppendBool(out, !page.Rough)
	}
	return append(out, '}')
}

func (a *API) schema(o *record.Object) rest.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		def, err := a.k.Definition(r.Context(), o.Def.Name)
		if err != nil {
			return err
		}
		return rest.JSON(w, 200, Describe(def))
	}
}

type batchOp struct {
	Op   record.OpKind   `json:"op"`
	ID   *uuid.UUID      `json:"id"`
	Key  string          `json:"key"`
	Data json.RawMessage `json:"data"`
}

func (a *API) batch(o *record.Object) rest.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		var in struct {
			Operations []batchOp `json:"operations"`
			Atomic     bool      `json:"atomic"`
			Allow      *bool     `json:"allow_duplicate"` // true when absent
		}
		if err := rest.Decode(r, &in); err != nil {
			return err
		}
		if len(in.Operations) == 0 || len(in.Operations) > record.MaxBatch {
			return errs.Field("operations", "out_of_range", "Send 1 to %d operations.", record.MaxBatch)
		}
		def, err := a.k.Definition(r.Context(), o.Def.Name)
		if err != nil {
			return err
		}
		ops := make([]record.Operation, len(in.Operations))
		for i, op := range in.Operations {
			ops[i] = readOp(def, op)
			ops[i].Unique = in.Allow != nil && !*in.Allow
		}
		// One batch in the journal, so that it can be taken back as one.
		batch := id.New()
		results, err := o.Apply(auth.As(r.Context(), func(a *auth.Actor) { a.BatchID = batch }), ops, in.Atomic)
		if err != nil {
			return withCandidates(err)
		}
		return rest.Raw(w, 200, appendResults(results, batch))
	}
}

// readOp turns one wire operation into a kernel one; what is wrong with it is
// carried along and reported in its place.
func readOp(def *record.Definition, in batchOp) record.Operation {
	op := record.Operation{Kind: in.Op, Key: in.Key}
	if in.ID != nil {
		op.ID = *in.ID
	}
	if op.Kind == record.OpUpsert && op.Key == "" {
		op.Key = "external_id"
	}
	switch op.Kind {
	case record.OpCreate, record.OpUpdate, record.OpUpsert:
		var body map[string]any
		dec := json.NewDecoder(strings.NewReader(string(in.Data)))
		dec.UseNumber()
		if err := dec.Decode(&body); err != nil {
			op.Err = errs.Field("data", "wrong_type", "data must be an object of fields.")
			return op
		}
		op.Patch, op.Err = def.ParseJSON(body)
	case record.OpDelete, record.OpRestore:
	default:
		op.Err = errs.Field("op", "unknown_operation", "op is create, update, upsert or delete.")
	}
	return op
}

func appendResults(results []record.Result, batch uuid.UUID) []byte {
	out := []byte(`{"results":[`)
	for i, res := range results {
		if i > 0 {
			out = append(out, ',')
		}
		if res.Err != nil {
			e := errs.As(withCandidates(res.Err))
			if e == nil {
				e = errs.New(errs.Internal, "internal", "Something went wrong on our side.")
			}
			refusal := map[string]any{"code": e.Code, "detail": e.Message, "errors": e.Fields}
			if list := e.Data["candidates"]; list != nil {
				refusal["candidates"] = list
			}
			b, _ := json.Marshal(map[string]any{"status": rest.StatusOf(e), "error": refusal})
			out = append(out, b...)
			continue
		}
		status := 200
		if res.Created {
			status = 201
		}
		out = append(out, `{"status":`...)
		out = strconv.AppendInt(out, int64(status), 10)
		out = append(out, `,"id":"`...)
		out = append(out, res.Record.ID().String()...)
		out = append(out, `","data":`...)
		out = res.Record.AppendJSON(out, nil, nil)
		out = append(out, '}')
	}
	return append(append(append(out, `],"batch_id":"`...), batch.String()...), `"}`...)
}
