package apidocs

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"crm/web/ui"
)

// document is the part of an OpenAPI document that is shown.
type document struct {
	Info struct {
		Title, Version, Description string
	}
	Servers []struct{ URL string }
	Paths   map[string]map[string]*operation

	Components struct {
		Schemas    map[string]*schema
		Parameters map[string]*parameter
	}
}

type operation struct {
	OperationID string
	Summary     string
	Description string
	Tags        []string
	Parameters  []*parameter
	RequestBody *struct {
		Required bool
		Content  map[string]struct{ Schema *schema }
	}
	Responses map[string]struct {
		Ref         string `json:"$ref"`
		Description string
		Content     map[string]struct{ Schema *schema }
	}
	Security *[]any // empty = needs no key
}

type parameter struct {
	Ref         string `json:"$ref"`
	Name        string
	In          string
	Required    bool
	Description string
	Schema      *schema
}

type schema struct {
	Ref         string `json:"$ref"`
	Type        kinds
	Format      string
	Description string
	Enum        []any
	Items       *schema
	AnyOf       []*schema
	OneOf       []*schema
	AllOf       []*schema
	Properties  map[string]*schema
	Required    []string
	ReadOnly    bool
	MaxItems    *int

	AdditionalProperties json.RawMessage
}

// kinds is "type", a text or a list of them.
type kinds []string

func (k *kinds) UnmarshalJSON(raw []byte) error {
	var one string
	if json.Unmarshal(raw, &one) == nil {
		*k = kinds{one}
		return nil
	}
	return json.Unmarshal(raw, (*[]string)(k))
}

// verbs in the order in which one meets them.
var verbs = []string{"get", "post", "patch", "put", "delete"}

// groups are the calls by subject, without their details.
func (d *document) groups() []ui.APIGroup {
	byTag := map[string]*ui.APIGroup{}
	for _, path := range slices.SortedFunc(maps.Keys(d.Paths), shorterFirst) {
		for _, verb := range verbs {
			op := d.Paths[path][verb]
			if op == nil {
				continue
			}
			tag := op.Tags[0]
			if byTag[tag] == nil {
				byTag[tag] = &ui.APIGroup{Tag: tag, Label: label(tag)}
			}
			call := ui.APICall{ID: op.OperationID, Method: strings.ToUpper(verb), Path: path, Summary: op.Summary}
			byTag[tag].Calls = append(byTag[tag].Calls, call)
		}
	}
	var out []ui.APIGroup
	for _, tag := range slices.Sorted(maps.Keys(byTag)) {
		out = append(out, *byTag[tag])
	}
	return out
}

// shorterFirst has the list before the record, and the record before its acts.
func shorterFirst(a, b string) int {
	return cmp.Or(cmp.Compare(strings.Count(a, "/"), strings.Count(b, "/")), cmp.Compare(a, b))
}

func label(tag string) string {
	s := strings.ReplaceAll(tag, "_", " ")
	return strings.ToUpper(s[:1]) + s[1:]
}

// complete adds what only the page of the subject shows.
func (d *document) complete(c *ui.APICall) {
	op := d.Paths[c.Path][strings.ToLower(c.Method)]
	c.Text = op.Description
	c.Open = op.Security != nil && len(*op.Security) == 0
	for _, p := range op.Parameters {
		if p.Ref != "" {
			p = d.Components.Parameters[last(p.Ref)]
		}
		c.Params = append(c.Params, ui.APIParam{Name: p.Name, In: p.In, Required: p.Required, Type: d.word(p.Schema), Text: p.Description})
	}
	if op.RequestBody != nil {
		d.completeBody(c, op)
	}
	for _, status := range slices.Sorted(maps.Keys(op.Responses)) {
		r := op.Responses[status]
		if status == "default" {
			continue // every call has the same: a problem
		}
		answer := ui.APIAnswer{Status: status, Text: r.Description}
		for kind, content := range r.Content {
			answer.Kinds = append(answer.Kinds, kind)
			if kind == "application/json" {
				answer.Example = d.example(content.Schema)
			}
		}
		slices.Sort(answer.Kinds)
		c.Answers = append(c.Answers, answer)
	}
}

func (d *document) completeBody(c *ui.APICall, op *operation) {
	content, ok := op.RequestBody.Content["application/json"]
	if !ok {
		c.Upload = true
		content = op.RequestBody.Content["multipart/form-data"]
	}
	c.HasBody = true
	s := d.resolve(content.Schema)
	for _, name := range fieldOrder(s) {
		f := d.resolve(s.Properties[name])
		c.Fields = append(c.Fields, ui.APIParam{Name: name, Required: slices.Contains(s.Required, name), Type: d.word(s.Properties[name]), Text: f.Description})
	}
	if !c.Upload {
		c.Example = d.bodyExample(content.Schema)
	}
}

// fieldOrder has required fields first, then by name.
func fieldOrder(s *schema) []string {
	return slices.SortedFunc(maps.Keys(s.Properties), func(a, b string) int {
		return cmp.Or(-compareBool(slices.Contains(s.Required, a), slices.Contains(s.Required, b)), cmp.Compare(a, b))
	})
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

func last(ref string) string { return ref[strings.LastIndex(ref, "/")+1:] }

// resolve follows references and looks through "or null".
func (d *document) resolve(s *schema) *schema {
	for range 8 { // references of references
		switch {
		case s == nil:
			return &schema{}
		case s.Ref != "":
			s = d.Components.Schemas[last(s.Ref)]
		case len(s.AnyOf) == 2 && slices.Contains(s.AnyOf[1].Type, "null"):
			s = s.AnyOf[0]
		default:
			return s
		}
	}
	return s
}

// word names a type for people: text, number, one of …, list of ….
func (d *document) word(s *schema) string {
	r := d.resolve(s)
	if len(r.Enum) > 0 {
		var options []string
		for _, e := range r.Enum {
			if e != nil {
				b, _ := json.Marshal(e) // a text or number of our own
				options = append(options, strings.Trim(string(b), `"`))
			}
		}
		return strings.Join(options, " | ")
	}
	kind := ""
	if len(r.Type) > 0 {
		kind = r.Type[0]
	}
	switch kind {
	case "array":
		return "list of " + cmp.Or(d.word(r.Items), "anything")
	case "string":
		return cmp.Or(map[string]string{"uuid": "id", "date-time": "time", "binary": "file"}[r.Format], r.Format, "text")
	case "boolean":
		return "true | false"
	}
	return kind
}
