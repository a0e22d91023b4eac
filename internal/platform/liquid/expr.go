package liquid

import (
	"math"
	"strconv"
	"strings"
)

// operand is a literal or a path into the variables.
type operand struct {
	literal any
	path    []any // string keys and int indexes; nil for a literal
}

// output is {{ operand | filter | filter }}.
type output struct {
	operand operand
	filters []call
}

type call struct {
	name string
	fn   filter
	args []operand
}

// condition is a comparison, or two conditions joined by and/or. As in Liquid they group from the right and have no
// precedence: "a or b and c" is "a or (b and c)".
type condition struct {
	left  operand
	op    string // empty = is it true
	right operand
	join  string // "", "and", "or"
	next  *condition
}

// marker is the value of the words blank and empty.
type marker struct{}

// maxTerms bounds conditions and filters per expression.
const maxTerms = 64

// cursor walks over the tokens of one expression.
type cursor struct {
	tokens []token
	line   int
	vars   map[string]bool // collects the paths that are read
}

func newCursor(src string, line int, vars map[string]bool) (*cursor, error) {
	tokens, err := scan(src, line)
	if err != nil {
		return nil, err
	}
	return &cursor{tokens: tokens, line: line, vars: vars}, nil
}

func (c *cursor) peek() token { return c.tokens[0] }

func (c *cursor) next() token {
	t := c.tokens[0]
	if t.kind != tokenEnd {
		c.tokens = c.tokens[1:]
	}
	return t
}

func (c *cursor) accept(sign string) bool {
	if c.peek().is(sign) {
		c.next()
		return true
	}
	return false
}

func (c *cursor) end() error {
	if t := c.peek(); t.kind != tokenEnd {
		return fail(c.line, "%s is not expected here", t)
	}
	return nil
}

func (c *cursor) output() (output, error) {
	op, err := c.operand()
	if err != nil {
		return output{}, err
	}
	out := output{operand: op}
	for c.accept("|") {
		f, err := c.call()
		if err != nil {
			return output{}, err
		}
		out.filters = append(out.filters, f)
		if len(out.filters) > maxTerms {
			return output{}, fail(c.line, "there are more than %d filters on one value", maxTerms)
		}
	}
	return out, c.end()
}

func (c *cursor) call() (call, error) {
	name := c.next()
	if name.kind != tokenWord {
		return call{}, fail(c.line, "after “|” the name of a filter is expected, not %s", name)
	}
	known, ok := filters[name.text]
	if !ok {
		return call{}, fail(c.line, "there is no filter “%s”; the filters are %s", name.text, filterNames())
	}
	out := call{name: name.text, fn: known.fn}
	for more := c.accept(":"); more; more = c.accept(",") {
		arg, err := c.operand()
		if err != nil {
			return call{}, err
		}
		out.args = append(out.args, arg)
	}
	if len(out.args) < known.min || len(out.args) > known.max {
		return call{}, fail(c.line, "the filter “%s” is written like {{ value | %s }}", name.text, known.usage)
	}
	return out, nil
}

func (c *cursor) condition() (*condition, error) {
	root := &condition{}
	for at, terms := root, 1; ; terms++ {
		if err := c.comparison(at); err != nil {
			return nil, err
		}
		t := c.peek()
		if !t.word("and") && !t.word("or") {
			return root, c.end()
		}
		if terms == maxTerms {
			return nil, fail(c.line, "there are more than %d parts in one condition", maxTerms)
		}
		at.join = c.next().text
		at.next = &condition{}
		at = at.next
	}
}

func (c *cursor) comparison(into *condition) (err error) {
	if into.left, err = c.operand(); err != nil {
		return err
	}
	t := c.peek()
	switch {
	case t.kind == tokenSign && strings.Contains(" == != <> < > <= >= ", " "+t.text+" "):
		into.op = strings.Replace(c.next().text, "<>", "!=", 1)
	case t.word("contains"):
		into.op = c.next().text
	default:
		return nil
	}
	into.right, err = c.operand()
	return err
}

// operands reads the values of a when: separated by comma or "or".
func (c *cursor) operands() ([]operand, error) {
	var list []operand
	for {
		op, err := c.operand()
		if err != nil {
			return nil, err
		}
		list = append(list, op)
		if c.peek().word("or") {
			c.next()
			continue
		}
		if !c.accept(",") {
			return list, c.end()
		}
	}
}

func (c *cursor) operand() (operand, error) {
	t := c.next()
	switch t.kind {
	case tokenString:
		return operand{literal: t.text}, nil
	case tokenNumber:
		return c.number(t.text)
	case tokenWord:
		if literal, ok := words[t.text]; ok {
			return operand{literal: literal}, nil
		}
		return c.path(t.text)
	}
	return operand{}, fail(c.line, "a value is expected here, such as contact.first_name or \"text\", not %s", t)
}

var words = map[string]any{"true": true, "false": false, "nil": nil, "null": nil, "blank": marker{}, "empty": marker{}}

func (c *cursor) number(text string) (operand, error) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return operand{literal: n}, nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(f, 0) || !strings.Contains(text, ".") {
		return operand{}, fail(c.line, "the number %.40s is too large", text)
	}
	return operand{literal: f}, nil
}

// path reads the rest of contact.custom["tier"].size. Indexes are literals only, so that the list of variables in use
// is complete.
func (c *cursor) path(first string) (operand, error) {
	path := []any{first}
	name := first
	for {
		switch {
		case c.accept("."):
			t := c.next()
			if t.kind != tokenWord {
				return operand{}, fail(c.line, "after “%s.” the name of a field is expected, not %s", name, t)
			}
			path = append(path, t.text)
			name += "." + t.text
		case c.accept("["):
			t := c.next()
			key, err := c.index(t)
			if err != nil {
				return operand{}, err
			}
			path = append(path, key)
			name += "." + t.text
		default:
			c.vars[name] = true
			return operand{path: path}, nil
		}
		if len(path) > MaxDepth {
			return operand{}, fail(c.line, "the name “%.40s…” has more than %d parts", name, MaxDepth)
		}
	}
}

func (c *cursor) index(t token) (any, error) {
	var key any
	n, err := strconv.Atoi(t.text)
	switch {
	case t.kind == tokenString:
		key = t.text
	case t.kind == tokenNumber && err == nil:
		key = n
	default:
		return nil, fail(c.line, "between [ and ] a number or a text in quotes is expected, not %s", t)
	}
	if !c.accept("]") {
		return nil, fail(c.line, "“[” is opened but not closed; add “]”")
	}
	return key, nil
}
