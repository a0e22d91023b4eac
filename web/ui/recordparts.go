package ui

import (
	"hash/fnv"
	"strings"
	"unicode/utf8"
)

func recordAvatar(p RecordPage) Avatar {
	a := p.Avatar
	a.Name = or(a.Name, p.Name)
	if a.Size == 0 {
		a.Size = 40
	}
	return a
}

func headScore(s Score) Score {
	s.ID = or(s.ID, "head")
	return s
}

// inlineField is a property's control without a visible label: the property's
// own label stands right beside it.
func inlineField(p Property) Field {
	f := *p.Edit
	f.Label = or(f.Label, p.Label)
	f.HideLabel = true
	f.Key = or(f.Key, "prop")
	f.Error = or(p.Error, f.Error)
	f.Wide = true
	return f
}

// manyLines reports whether writing is long enough to fold: about eight lines.
func manyLines(s string) bool {
	return strings.Count(s, "\n") > 8 || utf8.RuneCountInString(s) > 640
}

func hashOf(s string) int {
	h := fnv.New32a()
	h.Write([]byte(s))
	return int(h.Sum32() & 0xffff)
}

// keyed makes the ids of a composer tab its own: several tabs ask for "body".
func (c ComposerForm) keyed() Form {
	f := c.Form
	f.Groups = make([]FieldGroup, len(c.Form.Groups))
	for i, g := range c.Form.Groups {
		f.Groups[i] = g
		f.Groups[i].Fields = make([]Field, len(g.Fields))
		for n, fl := range g.Fields {
			fl.Key = or(fl.Key, c.Key)
			f.Groups[i].Fields[n] = fl
		}
	}
	return f
}
