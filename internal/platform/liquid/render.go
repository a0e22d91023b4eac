package liquid

import (
	"html"
	"strings"
	"time"
	"unicode"
)

// renderer is the state of one rendering.
type renderer struct {
	kind     Kind
	vars     map[string]any
	out      strings.Builder
	work     int // bytes handled so far, see MaxWork
	steps    int
	deadline time.Time
	line     int // of the node being rendered, for errors inside filters
}

func (r *renderer) all(nodes []node) error {
	for _, n := range nodes {
		if err := r.step(); err != nil {
			return err
		}
		if err := r.node(n); err != nil {
			return err
		}
	}
	return nil
}

func (r *renderer) node(n node) error {
	switch n := n.(type) {
	case *textNode:
		r.line = n.line
		return r.write(n.text)
	case *outputNode:
		r.line = n.line
		v, err := r.output(&n.output)
		if err != nil {
			return err
		}
		text, err := r.text(v)
		if err != nil {
			return err
		}
		if r.kind == HTML {
			text = escape(text, n.place)
		}
		return r.write(text)
	case *choiceNode:
		return r.choice(n)
	}
	return nil
}

func (r *renderer) choice(n *choiceNode) error {
	for i := range n.branches {
		b := &n.branches[i]
		r.line = b.line
		holds, err := r.holds(b)
		if err != nil {
			return err
		}
		if holds {
			return r.all(b.body)
		}
	}
	return nil
}

func (r *renderer) holds(b *branch) (bool, error) {
	if b.when != nil {
		holds, err := r.condition(b.when)
		return holds != b.negated, err
	}
	if b.values == nil {
		return true, nil // else
	}
	subject := r.value(b.subject)
	for _, op := range b.values {
		v := r.value(op)
		if err := r.chargeBoth(subject, v); err != nil {
			return false, err
		}
		if equal(subject, v) {
			return true, nil
		}
	}
	return false, nil
}

func (r *renderer) condition(c *condition) (bool, error) {
	if err := r.step(); err != nil {
		return false, err
	}
	holds, err := r.comparison(c)
	if err != nil || c.join == "" {
		return holds, err
	}
	if holds == (c.join == "or") {
		return holds, nil
	}
	return r.condition(c.next)
}

func (r *renderer) comparison(c *condition) (bool, error) {
	left := r.value(c.left)
	if c.op == "" {
		return truthy(left), nil
	}
	right := r.value(c.right)
	if err := r.chargeBoth(left, right); err != nil {
		return false, err
	}
	switch c.op {
	case "==":
		return equal(left, right), nil
	case "!=":
		return !equal(left, right), nil
	case "contains":
		return r.contains(left, right)
	}
	order, ok := compare(left, right)
	switch c.op {
	case "<":
		return ok && order < 0, nil
	case "<=":
		return ok && order <= 0, nil
	case ">":
		return ok && order > 0, nil
	}
	return ok && order >= 0, nil
}

func (r *renderer) contains(in, what any) (bool, error) {
	if s, ok := in.(string); ok {
		return what != nil && strings.Contains(s, str(what)), nil
	}
	elements, ok := list(in)
	if !ok {
		return false, nil
	}
	for i := range elements.Len() {
		e := plain(elements.Index(i).Interface())
		if err := r.chargeBoth(e, what); err != nil {
			return false, err
		}
		if equal(e, what) {
			return true, nil
		}
	}
	return false, nil
}

// value reads an operand; what is missing on the way is nil.
func (r *renderer) value(op operand) any {
	if op.path == nil {
		return op.literal
	}
	var v any = r.vars
	for _, key := range op.path {
		if v = field(v, key); v == nil {
			return nil
		}
	}
	return v
}

func (r *renderer) output(o *output) (any, error) {
	v := r.value(o.operand)
	for i := range o.filters {
		f := &o.filters[i]
		var args [2]any
		for k, op := range f.args {
			args[k] = r.value(op)
			if err := r.charge(size(args[k])); err != nil {
				return nil, err
			}
		}
		if err := r.charge(size(v) + 1); err != nil {
			return nil, err
		}
		var err error
		if v, err = f.fn(r, v, args[:len(f.args)]); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// text is what a value prints; lists are joined here because that needs the budget.
func (r *renderer) text(v any) (string, error) {
	if s, ok := v.(string); ok {
		return s, r.charge(len(s))
	}
	if _, ok := list(v); ok {
		return r.join(v, ", ")
	}
	return str(v), r.charge(1)
}

func (r *renderer) join(v any, separator string) (string, error) {
	elements, ok := list(v)
	if !ok {
		return r.text(v)
	}
	var b strings.Builder
	for i := range elements.Len() {
		if i > 0 {
			b.WriteString(separator)
		}
		part := str(plain(elements.Index(i).Interface()))
		if err := r.charge(len(part) + len(separator) + 1); err != nil {
			return "", err
		}
		b.WriteString(part)
	}
	return b.String(), nil
}

func (r *renderer) write(s string) error {
	if r.out.Len()+len(s) > MaxOutput {
		return fail(r.line, "the message becomes longer than %d bytes", MaxOutput)
	}
	r.out.WriteString(s)
	return nil
}

// charge books work before it is done. The budget is what bounds the time of a rendering, on any machine alike.
func (r *renderer) charge(n int) error {
	if n > MaxWork || r.work+n > MaxWork {
		return fail(r.line, "the template handles too much text; shorten its values or use fewer filters")
	}
	r.work += n
	return nil
}

func (r *renderer) chargeBoth(a, b any) error { return r.charge(size(a) + size(b) + 1) }

func (r *renderer) step() error {
	r.steps++
	if r.steps%256 == 0 && time.Now().After(r.deadline) {
		return fail(r.line, "rendering took longer than %s", Deadline)
	}
	return nil
}

func size(v any) int {
	if s, ok := v.(string); ok {
		return len(s)
	}
	return 1
}

// oneLine makes a header value: every run of control characters and line separators becomes one space.
func oneLine(s string) string {
	return strings.TrimSpace(strings.Join(strings.FieldsFunc(s, func(r rune) bool {
		return unicode.IsControl(r) || r == '\u2028' || r == '\u2029'
	}), " "))
}

func escapeHTML(s string) string { return html.EscapeString(strings.ReplaceAll(s, "\x00", "")) }
