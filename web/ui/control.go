package ui

import (
	"strconv"

	"github.com/a-h/templ"
)

func formMethod(f Form) string {
	if f.Get {
		return "get"
	}
	return "post"
}

func choiceType(k FieldKind) string {
	if k == FieldRadio {
		return "radio"
	}
	return "checkbox"
}

func rows(f Field) string {
	if f.Rows > 0 {
		return strconv.Itoa(f.Rows)
	}
	return "3"
}

func (f Field) wide() bool {
	return f.Wide || f.Kind == FieldLong || f.Kind == FieldFile || f.Kind == FieldMulti
}

// aria ties the control to its help and error.
func (f Field) aria() templ.Attributes {
	a := templ.Attributes{}
	if d := f.describedBy(); d != "" {
		a["aria-describedby"] = d
	}
	if f.Error != "" {
		a["aria-invalid"] = "true"
	}
	return a
}

// attributes are what nearly all controls share. Focus is set by script from
// Form.focusID, never by autofocus, which would fight the soft navigation.
func (f Field) attributes() templ.Attributes {
	a := f.aria()
	put := func(name, value string) {
		if value != "" {
			a[name] = value
		}
	}
	put("autocomplete", f.Autocomplete)
	put("placeholder", f.Placeholder)
	put("min", f.Low)
	put("max", f.High)
	put("step", f.step())
	put("form", f.FormID)
	if f.Max > 0 {
		a["maxlength"] = strconv.Itoa(f.Max)
	}
	if f.Required {
		a["required"] = true
	}
	if f.Off != "" {
		a["disabled"] = true
	}
	return a
}

func (f Field) step() string {
	if f.Step == "" && f.Kind == FieldNumber {
		return "any"
	}
	return f.Step
}
