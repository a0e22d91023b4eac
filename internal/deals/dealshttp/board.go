package dealshttp

import (
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/google/uuid"

	"crm/internal/deals"
	"crm/internal/platform/errs"
	"crm/internal/platform/id"
	"crm/internal/platform/money"
	"crm/internal/platform/rest"
	"crm/internal/record"
)

var (
	moneySchema = rest.Ref("Money")

	totalFields = map[string]rest.Schema{
		"count": rest.Int, "sum": moneySchema, "weighted": moneySchema,
		"sums": rest.Array(rest.Obj(map[string]rest.Schema{"currency": rest.Str, "count": rest.Int, "sum": moneySchema, "weighted": moneySchema}, "currency", "count", "sum", "weighted")),
	}
	pipelineSchema = rest.Obj(map[string]rest.Schema{"id": rest.UUID, "name": rest.Str, "currency": rest.Nullable(rest.Str), "is_default": rest.Bool}, "id", "name")
	stageSchema    = rest.Obj(map[string]rest.Schema{"id": rest.UUID, "name": rest.Str, "kind": rest.Str, "probability": rest.Int, "position": rest.Int, "stale_days": rest.Nullable(rest.Int)}, "id", "name", "kind", "probability")
	columnSchema   = rest.Obj(with(totalFields, map[string]rest.Schema{"stage": stageSchema, "deals": rest.Array(dealSchema)}), "stage", "count", "sum", "weighted", "sums", "deals")
	boardSchema    = rest.Obj(map[string]rest.Schema{"pipeline": pipelineSchema, "currency": rest.Str, "columns": rest.Array(columnSchema), "open": rest.Obj(totalFields)}, "pipeline", "currency", "columns", "open")
)

func with(a, b map[string]rest.Schema) map[string]rest.Schema {
	out := map[string]rest.Schema{}
	for _, m := range []map[string]rest.Schema{a, b} {
		for k, v := range m {
			out[k] = v
		}
	}
	return out
}

type moneyJSON struct {
	Amount   string `json:"amount"`
	Currency string `json:"currency"`
}

func asMoney(a money.Amount) moneyJSON { return moneyJSON{a.Decimal(), a.Currency} }

type sumJSON struct {
	Currency string    `json:"currency"`
	Count    int64     `json:"count"`
	Sum      moneyJSON `json:"sum"`
	Weighted moneyJSON `json:"weighted"`
}

type totalsJSON struct {
	Count    int64     `json:"count"`
	Sum      moneyJSON `json:"sum"`
	Weighted moneyJSON `json:"weighted"`
	Sums     []sumJSON `json:"sums"`
}

func asTotals(t deals.Totals) totalsJSON {
	out := totalsJSON{Count: t.Count, Sum: asMoney(t.Sum), Weighted: asMoney(t.Weighted), Sums: []sumJSON{}}
	for _, c := range t.ByCurrency {
		out.Sums = append(out.Sums, sumJSON{c.Sum.Currency, c.Count, asMoney(c.Sum), asMoney(c.Weighted)})
	}
	return out
}

type stageJSON struct {
	ID          uuid.UUID `json:"id"`
	Name        string    `json:"name"`
	Kind        string    `json:"kind"`
	Probability *int64    `json:"probability"`
	Position    *int64    `json:"position"`
	StaleDays   *int64    `json:"stale_days"`
}

type columnJSON struct {
	Stage stageJSON `json:"stage"`
	totalsJSON
	Deals []json.RawMessage `json:"deals"`
}

type pipelineJSON struct {
	ID        uuid.UUID `json:"id"`
	Name      string    `json:"name"`
	Currency  *string   `json:"currency"`
	IsDefault bool      `json:"is_default"`
}

func (h *API) board(w http.ResponseWriter, r *http.Request) error {
	in := deals.BoardInput{}
	var err error
	if in.PipelineID, err = pipelineOf(r); err != nil {
		return err
	}
	if s := r.URL.Query().Get("limit"); s != "" {
		if in.Limit, err = strconv.Atoi(s); err != nil || in.Limit == 0 {
			return errs.New(errs.Malformed, "bad_parameter", "limit must be between 1 and %d.", record.MaxLimit)
		}
	}
	if in.Query, err = h.query(r); err != nil {
		return err
	}
	b, err := h.s.Board(r.Context(), in)
	if err != nil {
		return err
	}
	columns := make([]columnJSON, len(b.Columns))
	for i, c := range b.Columns {
		columns[i] = asColumn(c)
	}
	p := pipelineJSON{ID: b.Pipeline.ID, Name: b.Pipeline.Name, IsDefault: b.Pipeline.IsDefault}
	if b.Pipeline.Currency != "" {
		p.Currency = &b.Pipeline.Currency
	}
	return rest.JSON(w, 200, map[string]any{"pipeline": p, "currency": b.Currency, "columns": columns, "open": asTotals(b.Open)})
}

func asColumn(c deals.Column) columnJSON {
	st := c.Stage
	out := columnJSON{Stage: stageJSON{st.ID, st.Name, st.Kind, st.Probability, st.Position, st.StaleDays}, totalsJSON: asTotals(c.Totals), Deals: []json.RawMessage{}}
	for _, rec := range c.Deals {
		out.Deals = append(out.Deals, rec.AppendJSON(nil, nil, nil))
	}
	return out
}

// query reads the filters beside the parameters of the page itself.
func (h *API) query(r *http.Request) (record.Query, error) {
	v := r.URL.Query()
	f, err := h.s.Deals.ParseFilter(r.Context(), v, "pipeline_id", "period", "group_by", "since", "until")
	return record.Query{Filter: f, Search: v.Get("q")}, err
}

func pipelineOf(r *http.Request) (uuid.UUID, error) {
	s := r.URL.Query().Get("pipeline_id")
	if s == "" {
		return uuid.Nil, nil
	}
	u, ok := id.Parse(s)
	if !ok {
		return uuid.Nil, errs.Missing("pipeline")
	}
	return u, nil
}
