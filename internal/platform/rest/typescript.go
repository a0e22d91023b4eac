package rest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// TypeScript writes a client of the document: one file without dependencies, a type
// per schema and a method per operation, over the fetch that browsers, Node, Deno
// and Bun have. It works from the document alone, so a tenant's own document gives
// a client that knows its custom fields.
func TypeScript(openapi []byte) ([]byte, error) {
	var d tsDoc
	if err := json.Unmarshal(openapi, &d); err != nil {
		return nil, fmt.Errorf("read the OpenAPI document: %w", err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, tsHead, d.Info.Title, d.Info.Version)
	for _, name := range slices.Sorted(maps.Keys(d.Components.Schemas)) {
		fmt.Fprintf(&b, "export type %s = %s;\n\n", name, tsType(d.Components.Schemas[name], ""))
	}
	b.WriteString(tsClient)
	for _, path := range slices.Sorted(maps.Keys(d.Paths)) {
		for _, method := range slices.Sorted(maps.Keys(d.Paths[path])) {
			tsMethod(&b, path, method, d.Paths[path][method])
		}
	}
	b.WriteString("}\n")
	return []byte(b.String()), nil
}

type tsDoc struct {
	Info       struct{ Title, Version string }
	Components struct{ Schemas map[string]tsSchema }
	Paths      map[string]map[string]tsOperation
}

type tsSchema map[string]any

type tsOperation struct {
	OperationID string `json:"operationId"`
	Summary     string
	Parameters  []struct {
		Name, In, Description string
		Schema                tsSchema
	}
	RequestBody *struct {
		Required bool
		Content  map[string]struct{ Schema tsSchema }
	} `json:"requestBody"`
	Responses map[string]struct {
		Content map[string]struct{ Schema tsSchema }
	}
}

// tsType writes a schema as a type; pad is the indentation of the line it is on.
func tsType(s tsSchema, pad string) string {
	if ref, ok := s["$ref"].(string); ok {
		return ref[strings.LastIndex(ref, "/")+1:]
	}
	if enum, ok := s["enum"].([]any); ok {
		return tsEnum(enum)
	}
	for word, by := range map[string]string{"anyOf": " | ", "oneOf": " | ", "allOf": " & "} {
		if list, ok := s[word].([]any); ok {
			return "(" + tsJoin(list, by, pad) + ")"
		}
	}
	switch t := s["type"].(type) {
	case []any:
		var out []string
		for _, one := range t {
			alone := maps.Clone(s)
			alone["type"] = one
			out = append(out, tsType(alone, pad))
		}
		return "(" + strings.Join(out, " | ") + ")"
	case string:
		return tsPlain(s, t, pad)
	}
	return "unknown"
}

func tsJoin(list []any, by, pad string) string {
	var out []string
	for _, one := range list {
		m, _ := one.(map[string]any)
		out = append(out, tsType(m, pad))
	}
	return strings.Join(out, by)
}

func tsEnum(values []any) string {
	var out []string
	for _, v := range values {
		raw, _ := json.Marshal(v)
		out = append(out, string(raw))
	}
	return "(" + strings.Join(out, " | ") + ")"
}

func tsPlain(s tsSchema, t, pad string) string {
	switch t {
	case "integer", "number":
		return "number"
	case "boolean", "null":
		return t
	case "array":
		items, _ := s["items"].(map[string]any)
		return "Array<" + tsType(items, pad) + ">"
	case "object":
		return tsObject(s, pad)
	}
	if s["format"] == "binary" {
		return "Blob"
	}
	return "string"
}

func tsObject(s tsSchema, pad string) string {
	properties, _ := s["properties"].(map[string]any)
	if len(properties) == 0 {
		return "Record<string, unknown>"
	}
	required, _ := s["required"].([]any)
	var b strings.Builder
	b.WriteString("{\n")
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		p, _ := properties[name].(map[string]any)
		if text, ok := p["description"].(string); ok {
			fmt.Fprintf(&b, "%s  /** %s */\n", pad, tsComment(text))
		}
		mark := "?"
		if slices.Contains(required, any(name)) {
			mark = ""
		}
		key, _ := json.Marshal(name)
		fmt.Fprintf(&b, "%s  %s%s: %s;\n", pad, key, mark, tsType(p, pad+"  "))
	}
	b.WriteString(pad + "}")
	return b.String()
}

func tsComment(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "*/", "*\u200b/"), "\n", " ")
}

// tsMethod writes one call: path parameters, the body, the query, the options.
func tsMethod(b *strings.Builder, path, method string, op tsOperation) {
	var args []string
	url := "`" + pathParam.ReplaceAllString(path, "$${encodeURIComponent($1)}") + "`"
	var query []string
	for _, p := range op.Parameters {
		switch {
		case p.In == "path":
			args = append(args, p.Name+": string")
		case p.In == "query" && p.Name == "filters":
			query = append(query, "[filter: string]: Param")
		case p.In == "query":
			query = append(query, p.Name+"?: Param")
		}
	}
	body, optional := "undefined", ""
	if op.RequestBody != nil {
		for media, c := range op.RequestBody.Content {
			kind := tsType(c.Schema, "  ")
			if media == "multipart/form-data" {
				kind = "FormData"
			}
			if body = "body"; !op.RequestBody.Required {
				optional = " = {}"
			}
			args = append(args, "body: "+kind+optional)
		}
	}
	q := "undefined"
	if len(query) > 0 {
		q = "query"
		args = append(args, "query: { "+strings.Join(query, "; ")+" } = {}")
	}
	args = append(args, "options: Options = {}")
	answer, read := tsAnswer(op)
	fmt.Fprintf(b, "\n  /** %s */\n  %s(%s): Promise<%s> {\n    return this.%s(%q, %s, %s, %s, options);\n  }\n",
		tsComment(op.Summary), tsName(op.OperationID), strings.Join(args, ", "), answer, read, strings.ToUpper(method), url, q, body)
}

// tsAnswer is the type of the success answer and how it is read.
func tsAnswer(op tsOperation) (kind, read string) {
	kind, read = "void", "send<void>"
	for status, r := range op.Responses {
		if status[0] != '2' {
			continue
		}
		for media, c := range r.Content {
			if media != "application/json" {
				return "Blob", "file"
			}
			kind = tsType(c.Schema, "  ")
			read = "send<" + kind + ">"
		}
	}
	return kind, read
}

// tsName makes "scoring.models.get" scoringModelsGet.
func tsName(operation string) string {
	parts := strings.FieldsFunc(operation, func(r rune) bool { return r == '.' || r == '_' })
	for i := 1; i < len(parts); i++ {
		parts[i] = strings.ToUpper(parts[i][:1]) + parts[i][1:]
	}
	return strings.Join(parts, "")
}

const tsHead = `// A client of the %s, version %s. Generated by: crm openapi --typescript
// It has no dependencies and runs where there is fetch.

`

const tsClient = `/** A query parameter; undefined leaves it out. */
export type Param = string | number | boolean | undefined;

/** What a single call may say beside its arguments. */
export interface Options {
  /** Makes repeating the call safe for 24 hours. */
  idempotencyKey?: string;
  /** The version the change is meant for. */
  ifMatch?: number;
  signal?: AbortSignal;
}

/** A refusal; code is stable, errors are by field. */
export class ApiError extends Error {
  constructor(readonly status: number, readonly problem: Problem, readonly retryAfter: number | undefined) {
    super(problem.detail);
    this.name = "ApiError";
  }
  get code(): string {
    return this.problem.code;
  }
}

/** A page of a list. */
export interface Page<T> {
  data: Array<T>;
  next_cursor: string | null;
}

/** Walks every row of a list: for await (const c of rows((q) => client.contactsList(q))) … */
export async function* rows<T>(list: (query: { cursor?: string; limit?: number }) => Promise<Page<T>>, limit = 200): AsyncGenerator<T, void, undefined> {
  let cursor: string | undefined;
  do {
    const page: Page<T> = await list(cursor === undefined ? { limit } : { limit, cursor });
    yield* page.data;
    cursor = page.next_cursor ?? undefined;
  } while (cursor !== undefined);
}

export class Client {
  /** base is the address of the installation, token an API key. */
  constructor(private readonly base: string, private readonly token: string, private readonly fetcher: typeof fetch = fetch) {}

  private async call(method: string, path: string, query: Record<string, Param> | undefined, body: unknown, options: Options): Promise<Response> {
    const url = new URL(this.base.replace(/\/+$/, "") + "/api/v1" + path);
    for (const [name, value] of Object.entries(query ?? {})) {
      if (value !== undefined) url.searchParams.append(name, String(value));
    }
    const headers = new Headers({ Authorization: "Bearer " + this.token });
    if (options.idempotencyKey !== undefined) headers.set("Idempotency-Key", options.idempotencyKey);
    if (options.ifMatch !== undefined) headers.set("If-Match", '"' + options.ifMatch + '"');
    const init: RequestInit = { method, headers };
    if (options.signal) init.signal = options.signal;
    if (body instanceof FormData) {
      init.body = body;
    } else if (body !== undefined) {
      headers.set("Content-Type", "application/json");
      init.body = JSON.stringify(body);
    }
    const response = await this.fetcher(url, init);
    if (!response.ok) {
      const wait = response.headers.get("Retry-After");
      throw new ApiError(response.status, (await response.json()) as Problem, wait === null ? undefined : Number(wait));
    }
    return response;
  }

  private async send<T>(method: string, path: string, query: Record<string, Param> | undefined, body: unknown, options: Options): Promise<T> {
    const response = await this.call(method, path, query, body, options);
    return (response.status === 204 ? undefined : await response.json()) as T;
  }

  private async file(method: string, path: string, query: Record<string, Param> | undefined, body: unknown, options: Options): Promise<Blob> {
    return (await this.call(method, path, query, body, options)).blob();
  }
`
