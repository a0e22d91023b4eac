package importing

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"crm/internal/platform/errs"
	"crm/internal/record"
)

// Preview is what an import would do with a file, told before anything is done.
type Preview struct {
	Upload     *uuid.UUID // the file waits under this id; nil = it was let go
	Object     string
	FileName   string
	FileBytes  int64
	Dialect    Dialect
	Sheet      string
	Sheets     []string
	Preset     string
	Remembered bool // the mapping is that of the last file with these headings
	Mode       Mode
	Key        string // what would find records; "" = nothing would
	Columns    []PreviewColumn
	Targets    []Target
	Warnings   []Warning
}

// PreviewColumn is a column, the first of its values, and where it would go.
type PreviewColumn struct {
	Column
	Samples    []string
	Filled     int     // of the rows looked at
	Looked     int     // rows looked at
	Misfits    int     // values among them that the field would refuse
	Confidence float64 // 1 = said or spelled exactly, less = guessed, 0 = not imported
}

// Keys are the fields by which records of an object can be found again.
func (s *Service) Keys(ctx context.Context, object string) []Target {
	def, err := s.k.Definition(ctx, object)
	if err != nil {
		return nil
	}
	var out []Target
	for _, f := range def.Fields {
		if keyTypes[f.Type.Name()] && (f.Unique || f.Name == "id" || f.Name == "email" || f.Name == "domain") {
			out = append(out, Target{Field: f.Name, Label: f.Label})
		}
	}
	return out
}

// Target is a field a column can be mapped to.
type Target struct {
	Field string
	Label string
	Group string // the object, for fields of companions
}

// samplesShown is how many values of a column a preview shows, sampleLength how many
// characters of each.
const (
	samplesShown = 3
	sampleLength = 60
)

// Preview looks at a file. With keep it stays for a day and can be imported by its
// id; otherwise nothing of it remains.
func (s *Service) Preview(ctx context.Context, up *Upload, opts Options, keep bool) (*Preview, error) {
	p, err := s.preview(ctx, up, opts, keep)
	if err != nil || !keep {
		s.Discard(ctx, up)
	}
	return p, err
}

func (s *Service) preview(ctx context.Context, up *Upload, opts Options, keep bool) (*Preview, error) {
	size := up.bytes
	seen, err := s.look(ctx, up, &opts)
	if err != nil {
		return nil, err
	}
	p := &Preview{
		Object: seen.def.Name, FileName: cleanFileName(opts.FileName), FileBytes: size, Dialect: seen.dialect, Sheet: up.sheet, Sheets: up.sheets,
		Preset: opts.Preset, Remembered: seen.remembered, Mode: opts.Mode, Targets: s.targets(ctx, seen.def),
	}
	others := s.companions(ctx, seen.def)
	for i, c := range seen.plan.Columns {
		p.Columns = append(p.Columns, previewColumn(seen, others, i, c, opts))
	}
	p.Key = likelyKey(seen.def, seen.plan, opts)
	p.warn(seen)
	if !keep || up.kept {
		p.keptAs(up)
		return p, nil
	}
	if err := s.keep(ctx, seen, opts); err != nil {
		return nil, err
	}
	p.keptAs(up)
	return p, nil
}

func (p *Preview) keptAs(up *Upload) {
	if up.kept {
		u := up.id
		p.Upload = &u
	}
}

// likelyKey is the field by which records of the file could be found again.
func likelyKey(def *record.Definition, plan Plan, opts Options) string {
	if opts.Key != "" {
		return opts.Key
	}
	opts.Mode = Upsert
	key, _ := chooseKey(def, plan, opts)
	return key
}

func previewColumn(seen *looked, others map[string]*record.Definition, i int, c Column, opts Options) PreviewColumn {
	out := PreviewColumn{Column: c, Confidence: confidence(c, opts), Looked: len(seen.sample)}
	t, _, err := resolveIn(seen.def, others, c.Field)
	style := columnSurvey{style: true}
	for _, row := range seen.sample {
		if i < len(row) && clean(row[i]) != "" {
			style.add(clean(row[i]))
		}
	}
	c.Style = style.result(seen.dialect.Delimiter)
	col := &column{Column: c, target: t, index: i, currencyCol: -1, currency: "EUR"}
	for _, row := range seen.sample {
		if i >= len(row) || clean(row[i]) == "" {
			continue
		}
		out.Filled++
		text := clipped(clean(row[i]))
		if len(out.Samples) < samplesShown && !slices.Contains(out.Samples, text) {
			out.Samples = append(out.Samples, text)
		}
		if c.Field != "" && err == nil && t.kind != currency && col.put(&draft{patch: record.Patch{}}, row) != nil {
			out.Misfits++
		}
	}
	return out
}

func clipped(s string) string {
	r := []rune(short(s))
	if len(r) > sampleLength {
		return string(r[:sampleLength]) + "…"
	}
	return string(r)
}

// confidence is 1 for what was said or is spelled exactly; a synonym is surer when the
// system the file comes from is known.
func confidence(c Column, opts Options) float64 {
	switch {
	case c.Field == "":
		return 0
	case c.How == Guessed && opts.Preset != "":
		return 0.9
	case c.How == Guessed:
		return 0.7
	}
	return 1
}

// warn tells what a person would want to know before going on.
func (p *Preview) warn(seen *looked) {
	if len(p.Sheets) > 1 {
		p.Warnings = append(p.Warnings, warning("sheet", "more_sheets", "The workbook has %d sheets; %q was read. The others are %s.", len(p.Sheets), p.Sheet,
			listSome(slices.DeleteFunc(slices.Clone(p.Sheets), func(n string) bool { return n == p.Sheet }))))
	}
	ragged := 0
	for _, row := range seen.sample {
		if len(row) > len(seen.heads) && !blank(row[len(seen.heads):]) {
			ragged++
		}
	}
	if ragged > 0 {
		p.Warnings = append(p.Warnings, warning("", "ragged_row", "%d of the first %d rows have more cells than there are headings.", ragged, len(seen.sample)))
	}
	for _, c := range p.Columns {
		if c.Misfits > 0 {
			p.Warnings = append(p.Warnings, warning(c.Heading, "misfits", "%d of the first %d values do not fit %s.", c.Misfits, c.Filled, c.Field))
		}
	}
}

// targets are the fields a column can be mapped to, those of companions at the end.
func (s *Service) targets(ctx context.Context, def *record.Definition) []Target {
	out := append([]Target{{Field: "id", Label: "ID"}}, fieldTargets(def, "")...)
	others := s.companions(ctx, def)
	for _, name := range companionObjects {
		if other := others[name]; other != nil {
			out = append(out, fieldTargets(other, name)...)
		}
	}
	return out
}

func fieldTargets(def *record.Definition, object string) []Target {
	var out []Target
	prefix := ""
	if object != "" {
		prefix = object + "."
	}
	add := func(name, label string) {
		out = append(out, Target{Field: prefix + name, Label: label, Group: group(def, object)})
	}
	for _, f := range append(slices.Clone(def.Fields), def.CustomFields()...) {
		name := f.Name
		if f.Custom {
			name = "custom." + name
		}
		t, err := resolveTarget(def, name)
		if err != nil || f.Hidden || t.kind == recordID {
			continue
		}
		switch f.Type.Name() {
		case "json", "version":
			continue
		case "address":
			for _, part := range addressParts {
				add(name+"."+part, f.Label+": "+partLabels[part])
			}
			continue
		case "money":
			add(name, f.Label)
			add(name+".currency", f.Label+": currency")
			continue
		}
		add(name, f.Label)
	}
	for _, v := range []struct{ name, label string }{{"name", "Full name"}, {"close_date", "Close date"}} {
		if t, ok := virtual(def, v.name); ok && t.kind != dealStatus {
			if _, own := def.Field(v.name); !own {
				add(v.name, v.label)
			}
		}
	}
	return out
}

func group(def *record.Definition, object string) string {
	if object == "" {
		return ""
	}
	return def.Label
}

var partLabels = map[string]string{"street": "street", "city": "city", "region": "region", "postal_code": "postal code", "country": "country"}

// FromKept imports a file that waits under its id.
func (s *Service) FromKept(ctx context.Context, id uuid.UUID, opts Options) (*Import, error) {
	k, err := s.Kept(ctx, id)
	if err != nil {
		return nil, err
	}
	if opts, err = k.complete(opts); err != nil {
		return nil, err
	}
	return s.Begin(ctx, k.Upload, opts)
}

// PreviewKept looks at a waiting file again, perhaps with another mapping.
func (s *Service) PreviewKept(ctx context.Context, id uuid.UUID, opts Options) (*Preview, error) {
	k, err := s.Kept(ctx, id)
	if err != nil {
		return nil, err
	}
	if opts, err = k.complete(opts); err != nil {
		return nil, err
	}
	return s.Preview(ctx, k.Upload, opts, true)
}

// complete fills in what was said with the upload.
func (k *Kept) complete(opts Options) (Options, error) {
	if opts.Object == "" {
		opts.Object = k.Opts.Object
	}
	if opts.Preset == "" {
		opts.Preset = k.Opts.Preset
	}
	if opts.Mode == "" && opts.Key == "" {
		opts.Mode = k.Opts.Mode
	}
	opts.FileName = k.Opts.FileName
	if opts.Sheet != "" && opts.Sheet != k.Upload.sheet {
		return opts, errs.Field("sheet", "already_read", "The sheet is chosen when the file is uploaded. Upload it again with the other sheet.")
	}
	opts.Sheet = ""
	return opts, nil
}
