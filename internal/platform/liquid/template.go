package liquid

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Kind says what a template is for and so how values are escaped.
type Kind int

// The kinds.
const (
	Text    Kind = iota // plain text bodies, SMS, chat
	HTML                // HTML bodies
	Subject             // one-line headers
)

// Limits. Sizes are bytes.
const (
	MaxSource = 64 << 10
	MaxOutput = 1 << 20
	MaxDepth  = 16
	MaxWork   = 8 << 20
	Deadline  = 2 * time.Second
)

// Template is a compiled template.
type Template struct {
	kind  Kind
	nodes []node
	vars  []string
	size  int // length of the source, a guess for the length of the output
}

// Error tells where and why a template cannot be compiled or rendered, in words for its author.
type Error struct {
	Line    int // from 1; 0 when no line is to blame
	Message string
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return e.Message
	}
	return fmt.Sprintf("line %d: %s", e.Line, e.Message)
}

func fail(line int, format string, args ...any) *Error {
	return &Error{Line: line, Message: fmt.Sprintf(format, args...)}
}

// Compile checks and prepares a template. Every error is an [*Error].
func Compile(src string, kind Kind) (*Template, error) {
	if len(src) > MaxSource {
		return nil, fail(0, "the template has %d bytes; at most %d are allowed", len(src), MaxSource)
	}
	if strings.ToValidUTF8(src, "") != src || strings.ContainsRune(src, 0) {
		return nil, fail(0, "the template contains bytes that are not text; save it as UTF-8")
	}
	pieces, err := split(src)
	if err != nil {
		return nil, err
	}
	p := &parser{pieces: pieces, vars: map[string]bool{}}
	nodes, err := p.parse()
	if err != nil {
		return nil, err
	}
	if kind == HTML {
		if _, err := placeAll(nodes, place{}); err != nil {
			return nil, err
		}
	}
	vars := make([]string, 0, len(p.vars))
	for name := range p.vars {
		vars = append(vars, name)
	}
	slices.Sort(vars)
	return &Template{kind: kind, nodes: nodes, vars: vars, size: len(src)}, nil
}

// Variables lists the paths the template reads, such as "contact.first_name", sorted and each once.
func (t *Template) Variables() []string { return slices.Clone(t.vars) }

// Render fills the template. vars is only read. Every error is an [*Error]; there is no partial output.
func (t *Template) Render(vars map[string]any) (string, error) {
	r := &renderer{kind: t.kind, vars: vars, deadline: time.Now().Add(Deadline)}
	r.out.Grow(min(t.size+t.size/2, MaxOutput))
	if err := r.all(t.nodes); err != nil {
		return "", err
	}
	if t.kind == Subject {
		return oneLine(r.out.String()), nil
	}
	return r.out.String(), nil
}
