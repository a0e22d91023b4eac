package formula

import (
	"math/big"
	"slices"
	"strings"
	"unicode/utf8"
)

// Limits of a formula.
const (
	MaxSource = 2000 // bytes
	maxNodes  = 300
	maxDepth  = 40
)

// node is one checked operation. run gets the values of args in order.
type node struct {
	kind  Kind
	pos   int
	value any    // of a literal
	field string // of a field
	args  []*node
	run   func(args []any) any
}

// Program is a checked formula, safe for concurrent use.
type Program struct {
	root   *node
	fields []string
}

// Kind is the type of its result.
func (p *Program) Kind() Kind { return p.root.kind }

// Fields lists the fields it reads, each once, in order of appearance.
func (p *Program) Fields() []string { return slices.Clone(p.fields) }

// Parse checks a formula. field tells the kind of a field by name; ok is false for
// one that does not exist or cannot be computed with.
func Parse(src string, field func(name string) (k Kind, ok bool)) (*Program, error) {
	if len(src) > MaxSource {
		return nil, fail(MaxSource, "a formula may have at most %d characters", MaxSource)
	}
	if !utf8.ValidString(src) {
		return nil, fail(0, "a formula must be valid UTF-8")
	}
	tokens, err := lex(src)
	if err != nil {
		return nil, err
	}
	p := &parser{tokens: tokens, field: field}
	root, err := p.expression(0)
	if err != nil {
		return nil, err
	}
	if t := p.peek(); t.kind != end {
		return nil, fail(t.pos, "the formula should end before %q", cut(t.text))
	}
	return &Program{root, p.fields}, nil
}

type parser struct {
	tokens []token
	at     int
	nodes  int
	depth  int
	field  func(string) (Kind, bool)
	fields []string
}

func (p *parser) peek() token { return p.tokens[p.at] }

func (p *parser) next() token {
	t := p.tokens[p.at]
	if t.kind != end {
		p.at++
	}
	return t
}

func (p *parser) isNext(s string) bool {
	t := p.peek()
	return (t.kind == symbol || t.kind == name) && strings.EqualFold(t.text, s)
}

func (p *parser) expect(s string) error {
	if !p.isNext(s) {
		t := p.peek()
		if t.kind == end {
			return fail(t.pos, "%q is missing at the end", s)
		}
		return fail(t.pos, "%q is needed before %q", s, cut(t.text))
	}
	p.next()
	return nil
}

// make counts the node, so that a formula stays within its budget.
func (p *parser) make(n *node) (*node, error) {
	if p.nodes++; p.nodes > maxNodes {
		return nil, fail(n.pos, "the formula has more than %d operations; split it over two fields", maxNodes)
	}
	return n, nil
}

// levels of binary operators, loosest first.
var levels = [][]string{{"or"}, {"and"}, {"=", "==", "!=", "<>", "<", "<=", ">", ">="}, {"+", "-"}, {"*", "/"}}

func (p *parser) expression(level int) (*node, error) {
	if level == len(levels) {
		return p.unary()
	}
	left, err := p.expression(level + 1)
	if err != nil {
		return nil, err
	}
	for {
		i := slices.IndexFunc(levels[level], p.isNext)
		if i < 0 {
			return left, nil
		}
		op := p.next()
		right, err := p.expression(level + 1)
		if err != nil {
			return nil, err
		}
		n, err := binary(levels[level][i], op.pos, left, right)
		if err == nil {
			left, err = p.make(n)
		}
		if err != nil {
			return nil, err
		}
	}
}

// unary also is where the depth is bounded: every nesting passes here.
func (p *parser) unary() (*node, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, fail(p.peek().pos, "the formula is nested deeper than %d levels", maxDepth)
	}
	defer func() { p.depth-- }()
	switch {
	case p.isNext("not"):
		t := p.next()
		arg, err := p.unary()
		if err != nil {
			return nil, err
		}
		if arg.kind != Bool {
			return nil, fail(arg.pos, "not needs yes or no, this is %s", arg.kind)
		}
		return p.make(&node{kind: Bool, pos: t.pos, args: []*node{arg}, run: func(a []any) any { return !truth(a[0]) }})
	case p.isNext("-"):
		t := p.next()
		arg, err := p.unary()
		if err != nil {
			return nil, err
		}
		if arg.kind != Number && arg.kind != Money {
			return nil, fail(arg.pos, "only numbers and money can be negative, this is %s", arg.kind)
		}
		return p.make(&node{kind: arg.kind, pos: t.pos, args: []*node{arg}, run: func(a []any) any { return negate(a[0]) }})
	}
	return p.primary()
}

func (p *parser) primary() (*node, error) {
	t := p.next()
	switch t.kind {
	case number:
		r, ok := new(big.Rat).SetString(t.text)
		if !ok {
			return nil, fail(t.pos, "%s is no number", cut(t.text))
		}
		return p.make(&node{kind: Number, pos: t.pos, value: r})
	case text:
		return p.make(&node{kind: Text, pos: t.pos, value: t.text})
	case name:
		return p.named(t)
	case symbol:
		if t.text == "(" {
			n, err := p.expression(0)
			if err != nil {
				return nil, err
			}
			return n, p.expect(")")
		}
	}
	if t.kind == end {
		return nil, fail(t.pos, "the formula ends too early")
	}
	return nil, fail(t.pos, "a value is needed before %q", cut(t.text))
}

// named is true, false, a function call or a field.
func (p *parser) named(t token) (*node, error) {
	lower := strings.ToLower(t.text)
	if p.isNext("(") {
		return p.call(lower, t.pos)
	}
	switch lower {
	case "true", "false":
		return p.make(&node{kind: Bool, pos: t.pos, value: lower == "true"})
	case "today", "now":
		return nil, noClock(t.pos)
	}
	k, ok := p.field(t.text)
	if !ok {
		return nil, fail(t.pos, "there is no field %q to compute with", cut(t.text))
	}
	if !slices.Contains(p.fields, t.text) {
		p.fields = append(p.fields, t.text)
	}
	return p.make(&node{kind: k, pos: t.pos, field: t.text})
}

func noClock(pos int) error {
	return fail(pos, "a formula cannot ask for the time, since its value is kept; filter by dates instead, for example last_days:7")
}

func (p *parser) call(fn string, pos int) (*node, error) {
	p.next() // the parenthesis
	var args []*node
	for !p.isNext(")") {
		if len(args) > 0 {
			if err := p.expect(","); err != nil {
				return nil, err
			}
		}
		a, err := p.expression(0)
		if err != nil {
			return nil, err
		}
		args = append(args, a)
	}
	p.next()
	if fn == "today" || fn == "now" {
		return nil, noClock(pos)
	}
	f, ok := functions[fn]
	if !ok {
		return nil, fail(pos, "there is no function %s", cut(fn))
	}
	if len(args) < f.low || len(args) > f.high {
		return nil, fail(pos, "%s is written %s", fn, f.usage)
	}
	k, err := f.check(fn, args)
	if err != nil {
		return nil, err
	}
	return p.make(&node{kind: k, pos: pos, args: args, run: f.run})
}

// Eval computes the value for a record; get gives a field's value, nil for empty.
func (p *Program) Eval(get func(field string) any) any { return p.root.eval(get) }

func (n *node) eval(get func(string) any) any {
	switch {
	case n.field != "":
		return get(n.field)
	case n.run == nil:
		return n.value
	}
	args := make([]any, len(n.args))
	for i, a := range n.args {
		args[i] = a.eval(get)
	}
	return n.run(args)
}
