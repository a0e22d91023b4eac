package recordhttp

import (
	"maps"
	"net/http"
	"strings"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/platform/rest"
	"crm/internal/record"
)

// maxFirstFields is how many fields an object may be made with in one call.
const maxFirstFields = 100

// customObjectRoutes: making an object takes its first fields along, all or nothing.
// Whatever else is done to objects is done as to any record.
func (a *API) customObjectRoutes() []rest.Route {
	o, ok := a.k.Object("custom_object")
	if !ok {
		return nil
	}
	var create rest.Route
	for _, r := range a.writes(o) {
		if r.Name == "custom_objects.create" {
			create = r
		}
	}
	_, body := objectSchemas(o.Def)
	properties := maps.Clone(body["properties"].(map[string]rest.Schema))
	properties["fields"] = rest.Array(firstFieldSchema())
	body = rest.Obj(properties)
	body["additionalProperties"] = false
	create.Summary, create.Body, create.Handle = "Make an object with its first fields", body, a.shaped(o, a.createObject(o))
	return []rest.Route{create}
}

func firstFieldSchema() rest.Schema {
	properties := maps.Clone(customRules)
	properties["name"], properties["type"], properties["target"] = rest.Str, rest.Str, rest.Str
	return rest.Obj(properties, "name", "type")
}

func (a *API) createObject(o *record.Object) rest.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		body, err := rest.Object(r)
		if err != nil {
			return err
		}
		fields, err := a.firstFields(r, body)
		if err != nil {
			return err
		}
		patch, err := o.Def.ParseJSON(body)
		if err != nil {
			return err
		}
		made, err := a.k.AddObject(r.Context(), patch, fields)
		if err != nil {
			return err
		}
		w.Header().Set("Location", "/api/v1/custom_objects/"+made.ID().String())
		return a.answer(w, r, o, http.StatusCreated, made)
	}
}

// firstFields takes the fields out of the body.
func (a *API) firstFields(r *http.Request, body map[string]any) ([]record.CustomField, error) {
	raw, sent := body["fields"]
	delete(body, "fields")
	list, ok := raw.([]any)
	if sent && !ok || len(list) > maxFirstFields {
		return nil, errs.Field("fields", "wrong_type", "fields is a list of at most %d fields, each with name and type.", maxFirstFields)
	}
	if len(list) > 0 {
		if _, _, err := auth.Require(r.Context(), "custom_field", auth.Create); err != nil {
			return nil, err
		}
	}
	var out []record.CustomField
	for _, it := range list {
		one, ok := it.(map[string]any)
		if !ok {
			return nil, errs.Field("fields", "wrong_type", "Each of fields is an object with name and type.")
		}
		f, err := readField(one)
		if err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, nil
}

// readField reads the definition of a new field.
func readField(body map[string]any) (record.CustomField, error) {
	var f record.CustomField
	var refused errs.Fields
	for name, to := range map[string]*string{"object": &f.Object, "name": &f.Name, "type": &f.Type, "target": &f.Target} {
		raw, sent := body[name]
		delete(body, name)
		s, ok := raw.(string)
		if sent && !ok {
			refused.Add(name, "wrong_type", "%s must be text.", name)
		}
		*to = strings.TrimSpace(s)
	}
	if err := refused.Err(); err != nil {
		return f, err
	}
	return f, setRules(&f, body)
}
