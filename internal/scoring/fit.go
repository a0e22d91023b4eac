package scoring

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"crm/internal/scoring/learn"
)

const (
	// seed makes a training repeatable: the same leads give the same model.
	seed = 1
	// A custom field that has more than this share of all effects is looked at closer.
	suspectShare = 0.25
	// suspectLead is by how much a field may rank better alone than all others together before it is taken for a leak.
	suspectLead = 0.04
	// restLow is the AUC that the other fields must surely reach; a tenant with one telling field keeps it, warned.
	restLow = 0.55
)

// outcome of a training before it is stored.
type outcome struct {
	*learn.Result
	// judged is the model the card's figures are about, trained without the held-out rows.
	judged *learn.Model
	// holdout is the table's tail that nothing was trained on; nil when it was drawn at random.
	holdout *learn.Table
	// suspects names the fields left out as likely leaks, for people.
	suspects string
}

// fitter trains with one table under the tenant's settings.
type fitter struct {
	table    *learn.Table
	plan     *plan
	set      settings
	progress func(stage string, share float64)
}

// runs is the most trainings one request can cost; progress is a share of all.
const runs = 4

// fit trains a model that does not rest on a leak. A field caught by the learner's guard is left out and the model
// trained again; so is a custom field that carries the model almost alone, because the guard asks for near certainty and misses
// what only leans on the outcome, such as the length of the deciding call.
func (f *fitter) fit(ctx context.Context) (*outcome, error) {
	res, err := f.train(ctx, 0, nil)
	if err != nil {
		return nil, err
	}
	leaks := f.caught(&res.Report)
	if len(leaks) > 0 {
		if res, err = f.without(ctx, 1, res, leaks); err != nil {
			return nil, f.nothingLeft(leaks, err)
		}
	}
	if name := f.suspect(&res.Report); name != "" {
		if res, leaks, err = f.tryWithout(ctx, res, leaks, name); err != nil {
			return nil, err
		}
	}
	return f.judge(ctx, res, leaks)
}

// train runs the learner; refuse adds to what the tenant refuses.
func (f *fitter) train(ctx context.Context, run int, refuse []learn.Dropped) (*learn.Result, error) {
	return learn.Train(ctx, f.table, learn.Options{Seed: seed, Refuse: f.refused(refuse), Progress: func(p learn.Progress) {
		f.progress(p.Stage, (float64(run)+p.Share)/runs)
	}})
}

func (f *fitter) refused(leaks []learn.Dropped) []string {
	var out []string
	for _, name := range f.set.refuse {
		out = append(out, f.plan.named(name)...)
	}
	for _, d := range leaks {
		out = append(out, d.Field)
	}
	return out
}

// caught lists the fields the learner warns of, except those people vouched for.
func (f *fitter) caught(r *learn.Report) []learn.Dropped {
	var out []learn.Dropped
	for _, w := range r.Warnings {
		known := slices.ContainsFunc(out, func(d learn.Dropped) bool { return d.Field == w.Field })
		if w.Code == "possible_leak" && w.Field != "" && !f.kept(w.Field) && !known {
			out = append(out, learn.Dropped{Field: w.Field, Code: "leak", Reason: "leak: left out because " + w.Text})
		}
	}
	return out
}

func (f *fitter) kept(name string) bool {
	feature := f.plan.byName[name]
	return slices.Contains(f.set.keep, name) || feature != nil && slices.Contains(f.set.keep, feature.field)
}

// without trains again and carries the warnings over, so that the card still tells what was found.
func (f *fitter) without(ctx context.Context, run int, before *learn.Result, leaks []learn.Dropped) (*learn.Result, error) {
	res, err := f.train(ctx, run, leaks)
	if err != nil {
		return nil, fmt.Errorf("train without %d leaking fields: %w", len(leaks), err)
	}
	for _, w := range before.Report.Warnings {
		isNew := !slices.Contains(res.Report.Warnings, w)
		if w.Code == "possible_leak" && isNew {
			res.Report.Warnings = append(res.Report.Warnings, w)
		}
	}
	explain(res, leaks)
	return res, nil
}

// nothingLeft tells how to go on when all that tells the outcome looks like a leak.
func (f *fitter) nothingLeft(leaks []learn.Dropped, cause error) error {
	return fmt.Errorf("these fields look like leaks and were left out: %s; without them there is nothing to learn from. If they are known before the outcome, train again and vouch for them (keep): %w", f.names(leaks), cause)
}

func (f *fitter) names(dropped []learn.Dropped) string {
	var out []string
	for _, d := range dropped {
		out = append(out, f.plan.byName[d.Field].label)
	}
	return strings.Join(out, ", ")
}

// explain puts our reasons in the place of the learner's "left out on request".
func explain(res *learn.Result, leaks []learn.Dropped) {
	for i := range res.Report.Dropped {
		d := &res.Report.Dropped[i]
		if at := slices.IndexFunc(leaks, func(l learn.Dropped) bool { return l.Field == d.Field }); at >= 0 {
			*d = leaks[at]
		}
	}
}

// suspect names a custom field that has too large a part in the model. Standard fields are known when a lead comes in;
// what a custom field means, and when it is filled in, only the tenant knows.
func (f *fitter) suspect(r *learn.Report) string {
	if len(r.Importance) == 0 {
		return ""
	}
	top := r.Importance[0]
	feature := f.plan.byName[top.Field]
	if top.Share < suspectShare || feature == nil || !feature.custom || f.kept(top.Field) {
		return ""
	}
	return top.Field
}

// tryWithout trains without a suspect and with nothing else. It is believed guilty when it clearly carries the model,
// ranks better alone than all other fields together, and the model can do without it: a wrong guess then costs some
// accuracy until somebody vouches for the field, while a leak would make every score of an open lead nonsense.
func (f *fitter) tryWithout(ctx context.Context, with *learn.Result, leaks []learn.Dropped, name string) (*learn.Result, []learn.Dropped, error) {
	alone, err := f.train(ctx, 2, f.allBut(name))
	if err != nil {
		return nil, nil, err
	}
	more := append(slices.Clone(leaks), learn.Dropped{Field: name, Code: "leak"})
	rest, err := f.without(ctx, 3, with, more)
	if err != nil {
		return nil, nil, err
	}
	one, all, others := alone.Report.Metrics, with.Report.Metrics, rest.Report.Metrics
	if all.AUCLow <= others.AUCHigh || one.AUC < others.AUC+suspectLead {
		return with, leaks, nil
	}
	text := fmt.Sprintf("%s alone ranks better (AUC %.2f) than all other fields together (%.2f), which is rare unless it is filled in while or after the outcome is decided", f.plan.byName[name].label, one.AUC, others.AUC)
	warning := learn.Warning{Code: "possible_leak", Field: name, Text: "possible leak: " + text}
	if others.AUCLow <= restLow {
		with.Report.Warnings = append(with.Report.Warnings, warning)
		return with, leaks, nil
	}
	more[len(more)-1].Reason = "leak: left out because " + text
	rest.Report.Warnings = append(rest.Report.Warnings, warning)
	explain(rest, more)
	return rest, more, nil
}

func (f *fitter) allBut(name string) []learn.Dropped {
	var out []learn.Dropped
	for _, other := range f.plan.features {
		if other.name != name {
			out = append(out, learn.Dropped{Field: other.name})
		}
	}
	return out
}

// judge trains once more without the held-out rows, the way the card's figures came about: when the next model is
// compared with this one, neither may have seen the leads they are compared on.
func (f *fitter) judge(ctx context.Context, res *learn.Result, leaks []learn.Dropped) (*outcome, error) {
	res.Report.Dropped = append(res.Report.Dropped, f.plan.skipped...)
	out := &outcome{Result: res, suspects: f.names(leaks)}
	h := res.Report.Holdout
	if h.Random {
		return out, nil
	}
	cut := f.table.Rows() - h.Rows
	out.holdout = f.table.Select(span(cut, f.table.Rows()))
	var err error
	out.judged, _, err = learn.Fit(ctx, f.table.Select(span(0, cut)), learn.Options{Seed: seed, Refuse: f.refused(leaks)})
	if err != nil {
		return nil, fmt.Errorf("train for later comparison: %w", err)
	}
	return out, nil
}

func span(from, to int) []int32 {
	out := make([]int32, to-from)
	for i := range out {
		out[i] = int32(from + i)
	}
	return out
}
