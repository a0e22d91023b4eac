package ui

import "strconv"

func (p ListPage) hasRowActions() bool { return rowsHaveActions(p.Rows) }

func rowsHaveActions(rows []Row) bool {
	for _, r := range rows {
		if len(r.Actions) > 0 {
			return true
		}
	}
	return false
}

// label is the spoken name of a row.
func (r Row) label() string {
	if r.Name != "" {
		return r.Name
	}
	if len(r.Cells) > 0 {
		if l, ok := r.Cells[0].(TextLink); ok {
			return l.Text
		}
	}
	return r.ID
}

// identified gives machine values the id their popover needs.
func identified(v Value, row string, column int) Value {
	id := row + "-" + strconv.Itoa(column)
	switch m := v.(type) {
	case Score:
		m.ID = or(m.ID, id)
		return m
	case Machine:
		m.ID = or(m.ID, id)
		return m
	}
	return v
}

func columnClass(c Column, pinned bool) string {
	class := "col"
	if pinned {
		class += " pin"
	}
	if c.Right {
		class += " right"
	}
	if c.Width != WidthAuto {
		class += " " + string(c.Width)
	}
	return class
}

// phoneClass says where a cell goes when the row becomes two lines.
func (p ListPage) phoneClass(i int) string {
	if i == 0 {
		return "ph-title"
	}
	if spot := p.phoneSpot(i); spot != PhoneHidden {
		return "ph-" + string(spot)
	}
	return "ph-off"
}

func (p ListPage) phoneSpot(i int) PhoneSpot {
	lastFigure := -1
	for n, c := range p.Columns {
		if c.Phone != PhoneHidden {
			return p.Columns[i].Phone
		}
		if c.Right || c.Machine {
			lastFigure = n
		}
	}
	switch i {
	case lastFigure:
		return PhoneAside
	case 1:
		return PhoneSub
	}
	return PhoneHidden
}

func bulkName(b BulkAction) string {
	for _, f := range b.Fields {
		if f.Name == "action" {
			return f.Value
		}
	}
	return b.Label
}

func contains(list []string, s string) bool {
	for _, v := range list {
		if v == s {
			return true
		}
	}
	return false
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

func inputType(k FieldKind) string {
	switch k {
	case FieldEmail, FieldURL, FieldNumber, FieldDate, FieldPassword, FieldFile, FieldSearch, FieldColor:
		return string(k)
	case FieldPhone:
		return "tel"
	case FieldDateTime:
		return "datetime-local"
	}
	return "text"
}
