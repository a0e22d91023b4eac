package ui

import "strings"

// APIGuide is the frame of the pages about the API.
type APIGuide struct {
	Title   string
	Version string
	Intro   []string // paragraphs
	Server  string   // what paths begin with
	Groups  []APIGroup
}

// APIGroup is the calls about one subject.
type APIGroup struct {
	Tag   string // last part of its page's address
	Label string
	Calls []APICall
}

// APICall is one call. Of ID to Summary the index knows; the rest is for the subject's
// own page.
type APICall struct {
	ID      string // "contacts.create"; the anchor too
	Method  string // upper case
	Path    string // below the server, with {names}
	Summary string

	Text    string
	Open    bool // needs no key
	Params  []APIParam
	HasBody bool
	Upload  bool // the body is a form with a file
	Fields  []APIParam
	Example string // of the body, JSON
	Answers []APIAnswer
}

// APIParam is a parameter or a field of the body.
type APIParam struct {
	Name     string
	In       string // path, query or header; "" in a body
	Required bool
	Type     string // for people
	Text     string
}

// APIAnswer is what comes back when all is well.
type APIAnswer struct {
	Status  string
	Text    string
	Kinds   []string // media types
	Example string   // JSON; "" when it is none
}

func (c APICall) verb() string { return "verb " + strings.ToLower(c.Method) }

// field names a control of the call's form; several calls stand on one page.
func (c APICall) field(name string) string {
	return "try-" + strings.ReplaceAll(c.ID, ".", "-") + "-" + name
}

// curl is the call for a terminal.
func (c APICall) curl(server string) string {
	out := "curl"
	if c.Method != "GET" {
		out += " -X " + c.Method
	}
	out += " '" + server + c.Path + "'"
	if !c.Open {
		out += ` \` + "\n  -H 'Authorization: Bearer crm_…'"
	}
	switch {
	case c.Upload:
		for _, f := range c.Fields {
			if f.Required {
				out += ` \` + "\n  -F '" + f.Name + "=…'"
			}
		}
	case c.HasBody:
		out += ` \` + "\n  -H 'Content-Type: application/json' \\\n  -d '" + strings.ReplaceAll(c.Example, "'", `'\''`) + "'"
	}
	return out
}

// tryable leaves out what a form of texts cannot send.
func (c APICall) tryable() bool { return !c.Upload }

func joined(list []string) string { return strings.Join(list, ", ") }
