package dealshttp

import (
	"net/http"
	"time"

	"github.com/google/uuid"

	"crm/internal/deals"
	"crm/internal/platform/errs"
	"crm/internal/platform/rest"
)

var (
	outlookFields = map[string]rest.Schema{"count": rest.Int, "closed": moneySchema, "commit": moneySchema, "best_case": moneySchema, "pipeline": moneySchema, "weighted": moneySchema}
	daySchema     = rest.Schema{"type": "string", "format": "date"}
	rowSchema     = rest.Obj(with(outlookFields, map[string]rest.Schema{
		"start": rest.Nullable(daySchema), "end": rest.Nullable(daySchema), "label": rest.Str, "owner_id": rest.Nullable(rest.UUID), "stage_id": rest.Nullable(rest.UUID), "name": rest.Str,
		"by_currency": rest.Array(rest.Obj(with(outlookFields, map[string]rest.Schema{"currency": rest.Str}))),
	}), "start", "end", "label", "count", "closed", "commit", "best_case", "pipeline", "weighted", "by_currency")
	forecastSchema = rest.Obj(map[string]rest.Schema{"period": rest.Str, "group_by": rest.Str, "currency": rest.Str, "data": rest.Array(rowSchema)}, "period", "group_by", "currency", "data")
	forecastParams = []rest.Param{
		{Name: "period", Description: "month (when absent), quarter or year, in UTC.", Schema: rest.Schema{"type": "string", "enum": []any{"month", "quarter", "year"}}},
		{Name: "group_by", Description: "none (when absent), owner or stage.", Schema: rest.Schema{"type": "string", "enum": []any{"none", "owner", "stage"}}},
		pipelineParam,
		{Name: "since", Description: "Only what falls on this day or later.", Schema: daySchema},
		{Name: "until", Description: "Only what falls before this day.", Schema: daySchema},
	}
)

type outlookJSON struct {
	Count    int64     `json:"count"`
	Closed   moneyJSON `json:"closed"`
	Commit   moneyJSON `json:"commit"`
	BestCase moneyJSON `json:"best_case"`
	Pipeline moneyJSON `json:"pipeline"`
	Weighted moneyJSON `json:"weighted"`
}

func asOutlook(o deals.Outlook) outlookJSON {
	return outlookJSON{o.Count, asMoney(o.Closed), asMoney(o.Commit), asMoney(o.BestCase), asMoney(o.Pipeline), asMoney(o.Weighted)}
}

type currencyOutlookJSON struct {
	Currency string `json:"currency"`
	outlookJSON
}

type forecastRowJSON struct {
	Start   *string    `json:"start"`
	End     *string    `json:"end"`
	Label   string     `json:"label"`
	OwnerID *uuid.UUID `json:"owner_id,omitempty"`
	StageID *uuid.UUID `json:"stage_id,omitempty"`
	Name    string     `json:"name,omitempty"`
	outlookJSON
	ByCurrency []currencyOutlookJSON `json:"by_currency"`
}

func (h *API) forecast(w http.ResponseWriter, r *http.Request) error {
	v := r.URL.Query()
	in := deals.ForecastInput{Period: v.Get("period"), GroupBy: v.Get("group_by")}
	var err error
	if in.PipelineID, err = pipelineOf(r); err != nil {
		return err
	}
	if in.Since, err = dayParam(r, "since"); err != nil {
		return err
	}
	if in.Until, err = dayParam(r, "until"); err != nil {
		return err
	}
	if in.Query, err = h.query(r); err != nil {
		return err
	}
	f, err := h.s.Forecast(r.Context(), in)
	if err != nil {
		return err
	}
	rows := make([]forecastRowJSON, len(f.Rows))
	for i, row := range f.Rows {
		rows[i] = asForecastRow(f.GroupBy, row)
	}
	return rest.JSON(w, 200, map[string]any{"period": f.Period, "group_by": f.GroupBy, "currency": f.Currency, "data": rows})
}

func dayParam(r *http.Request, name string) (*time.Time, error) {
	s := r.URL.Query().Get(name)
	if s == "" {
		return nil, nil
	}
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return nil, errs.New(errs.Malformed, "bad_parameter", "%s must be a date like 2026-11-21.", name)
	}
	return &t, nil
}

func asForecastRow(groupBy string, row deals.ForecastRow) forecastRowJSON {
	out := forecastRowJSON{Start: asDay(row.Start), End: asDay(row.End), Label: row.Label, Name: row.Name, outlookJSON: asOutlook(row.Outlook), ByCurrency: []currencyOutlookJSON{}}
	switch groupBy {
	case deals.ByOwner:
		out.OwnerID = row.Key
	case deals.ByStage:
		out.StageID = row.Key
	}
	for _, o := range row.ByCurrency {
		out.ByCurrency = append(out.ByCurrency, currencyOutlookJSON{o.Closed.Currency, asOutlook(o)})
	}
	return out
}

func asDay(t *time.Time) *string {
	if t == nil {
		return nil
	}
	s := t.Format(time.DateOnly)
	return &s
}
