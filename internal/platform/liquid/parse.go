package liquid

import "strings"

// node is a part of the compiled template.
type node interface{ isNode() }

type textNode struct {
	text string
	line int
}

type outputNode struct {
	output
	line  int
	place escapeMode // set for HTML by placeAll
}

// choiceNode is if, unless and case: the first branch whose test holds is rendered.
type choiceNode struct {
	branches []branch
	line     int
	complete bool // has an else
}

// branch holds either a condition (if, unless) or the values of a when; neither for else.
type branch struct {
	when    *condition
	negated bool // unless
	subject operand
	values  []operand
	body    []node
	line    int
}

func (*textNode) isNode()   {}
func (*outputNode) isNode() {}
func (*choiceNode) isNode() {}

type parser struct {
	pieces []piece
	at     int
	depth  int
	vars   map[string]bool
}

// parse reads the whole template.
func (p *parser) parse() ([]node, error) {
	nodes, stop, err := p.block("")
	if err != nil {
		return nil, err
	}
	if stop != nil {
		return nil, fail(stop.line, "“%s” has no beginning before it", stop.name)
	}
	return nodes, nil
}

// tag is a {% word rest %} that is not a beginning: it ends the block that reads it.
type tag struct {
	name string
	rest string
	line int
}

// block reads nodes up to a tag that belongs to the enclosing opener ("" at the top), or the end of the template.
func (p *parser) block(opener string) ([]node, *tag, error) {
	var nodes []node
	for p.at < len(p.pieces) {
		piece := p.pieces[p.at]
		p.at++
		switch piece.kind {
		case pieceText:
			nodes = append(nodes, &textNode{piece.text, piece.line})
		case pieceOutput:
			n, err := p.output(piece)
			if err != nil {
				return nil, nil, err
			}
			nodes = append(nodes, n)
		case pieceTag:
			n, stop, err := p.tag(piece, opener)
			if err != nil || stop != nil {
				return nodes, stop, err
			}
			if n != nil {
				nodes = append(nodes, n)
			}
		}
	}
	return nodes, nil, nil
}

func (p *parser) output(piece piece) (node, error) {
	if piece.text == "" {
		return nil, fail(piece.line, "{{ }} is empty; write the name of a value between the braces")
	}
	c, err := newCursor(piece.text, piece.line, p.vars)
	if err != nil {
		return nil, err
	}
	out, err := c.output()
	if err != nil {
		return nil, err
	}
	return &outputNode{output: out, line: piece.line}, nil
}

// tag handles one {% %}: it opens a nested block, skips a comment, or stops the current block.
func (p *parser) tag(piece piece, opener string) (node, *tag, error) {
	name, rest := piece.text, ""
	if i := strings.IndexAny(piece.text, " \t\r\n"); i >= 0 {
		name, rest = piece.text[:i], strings.TrimSpace(piece.text[i:])
	}
	switch name {
	case "if", "unless", "case":
		n, err := p.nested(name, rest, piece.line)
		return n, nil, err
	case "comment":
		return nil, nil, p.comment(piece.line)
	case "elsif", "else", "endif", "endunless", "when", "endcase":
		if !closes(opener, name) {
			return nil, nil, misplaced(opener, name, piece.line)
		}
		return nil, &tag{name, rest, piece.line}, nil
	case "endcomment":
		return nil, nil, misplaced(opener, name, piece.line)
	}
	return nil, nil, fail(piece.line, "the tag “%.40s” is not available in templates; there are if, unless, case and comment", name)
}

// closes tells which tags belong to which opener.
func closes(opener, name string) bool {
	switch opener {
	case "if":
		return name == "elsif" || name == "else" || name == "endif"
	case "unless":
		return name == "elsif" || name == "else" || name == "endunless"
	case "case":
		return name == "when" || name == "else" || name == "endcase"
	}
	return false
}

func misplaced(opener, name string, line int) error {
	if opener == "" {
		return fail(line, "“%s” has no beginning before it", name)
	}
	return fail(line, "“%s” does not belong into “%s”; is “end%s” missing before it?", name, opener, opener)
}

func (p *parser) nested(name, rest string, line int) (node, error) {
	p.depth++
	defer func() { p.depth-- }()
	if p.depth > MaxDepth {
		return nil, fail(line, "conditions are nested more than %d deep", MaxDepth)
	}
	if name == "case" {
		return p.caseOf(rest, line)
	}
	return p.choice(name, rest, line)
}

// choice reads if and unless up to their end.
func (p *parser) choice(name, rest string, line int) (node, error) {
	n := &choiceNode{line: line}
	current := &tag{name, rest, line}
	for {
		b := branch{line: current.line, negated: current.name == "unless"}
		if current.name != "else" {
			cond, err := p.condition(current)
			if err != nil {
				return nil, err
			}
			b.when = cond
		} else if err := n.lastElse(current); err != nil {
			return nil, err
		}
		stop, err := p.branch(n, b, name)
		if err != nil || stop == nil {
			return n, err
		}
		if n.complete && stop.name == "elsif" {
			return nil, fail(stop.line, "“elsif” cannot come after “else”")
		}
		current = stop
	}
}

func (p *parser) caseOf(rest string, line int) (node, error) {
	c, err := newCursor(rest, line, p.vars)
	if err != nil {
		return nil, err
	}
	subject, err := c.operand()
	if err == nil {
		err = c.end()
	}
	if err != nil {
		return nil, err
	}
	lead, stop, err := p.block("case")
	if err != nil {
		return nil, err
	}
	if stop == nil || !blank(lead) {
		return nil, fail(line, "“case” must be followed by “when” and ended by “endcase”")
	}
	n := &choiceNode{line: line}
	for stop != nil && stop.name != "endcase" {
		b := branch{line: stop.line, subject: subject}
		if stop.name == "else" {
			err = n.lastElse(stop)
		} else {
			b.values, err = p.values(stop, n)
		}
		if err != nil {
			return nil, err
		}
		if stop, err = p.branch(n, b, "case"); err != nil {
			return nil, err
		}
	}
	return n, nil
}

func (p *parser) values(stop *tag, n *choiceNode) ([]operand, error) {
	if n.complete {
		return nil, fail(stop.line, "“when” cannot come after “else”")
	}
	c, err := newCursor(stop.rest, stop.line, p.vars)
	if err != nil {
		return nil, err
	}
	return c.operands()
}

// branch reads the body of b and adds it. It returns the tag that goes on with the choice, nil after its end.
func (p *parser) branch(n *choiceNode, b branch, opener string) (*tag, error) {
	body, stop, err := p.block(opener)
	if err != nil {
		return nil, err
	}
	if stop == nil {
		return nil, fail(n.line, "“%s” is opened here but not closed; add {%% end%s %%}", opener, opener)
	}
	b.body = body
	n.branches = append(n.branches, b)
	if strings.HasPrefix(stop.name, "end") {
		return nil, nil
	}
	return stop, nil
}

func (n *choiceNode) lastElse(t *tag) error {
	if n.complete {
		return fail(t.line, "there is a second “else”")
	}
	if t.rest != "" {
		return fail(t.line, "“else” stands alone; for a further condition write “elsif”")
	}
	n.complete = true
	return nil
}

func (p *parser) condition(t *tag) (*condition, error) {
	if t.rest == "" {
		return nil, fail(t.line, "“%s” needs a condition, such as contact.first_name", t.name)
	}
	c, err := newCursor(t.rest, t.line, p.vars)
	if err != nil {
		return nil, err
	}
	return c.condition()
}

// comment skips to the matching end without looking at what it skips.
func (p *parser) comment(line int) error {
	for depth := 1; p.at < len(p.pieces); {
		piece := p.pieces[p.at]
		p.at++
		if piece.kind != pieceTag {
			continue
		}
		switch piece.text {
		case "comment":
			depth++
		case "endcomment":
			depth--
		}
		if depth == 0 {
			return nil
		}
	}
	return fail(line, "“comment” is opened here but not closed; add {%% endcomment %%}")
}

func blank(nodes []node) bool {
	for _, n := range nodes {
		text, ok := n.(*textNode)
		if !ok || strings.TrimSpace(text.text) != "" {
			return false
		}
	}
	return true
}
