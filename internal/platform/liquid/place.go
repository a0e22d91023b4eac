package liquid

import "strings"

// place is where in the HTML the text stands after what was read so far. It is comparable, so the ends of two branches
// can be told apart.
type place struct {
	mode  mode
	elem  string // name of the open tag or raw-text element
	attr  string // name of the attribute being read
	quote byte   // of the attribute value
	url   urlPart

	broken string // attribute whose scheme would be spelled by a value: "{{ x }}:…"
}

type mode int

const (
	inText mode = iota
	inTagName
	inTag
	inAttrName
	afterAttrName
	beforeValue
	inValue
	inUnquoted
	inComment
	inDeclaration // <!doctype> and <?xml>
	inRaw         // inside script, style, title ...
)

// urlPart tells how far the address in a link attribute is known.
type urlPart int

const (
	urlStart   urlPart = iota // nothing yet
	urlDecided                // scheme or path is fixed by the author's text
	urlPrefix                 // the author wrote the beginning of what may still become a scheme
	urlDynamic                // began with a value
)

// escapeMode is how a value is made harmless.
type escapeMode int

const (
	escapeText    escapeMode = iota
	escapeURL                // at the start of a link: the scheme is checked
	escapeURLPart            // may not bring a scheme to life
	escapeCSS
)

// placeAll follows the markup through the nodes, sets how each value is escaped and refuses the places where none is
// safe.
func placeAll(nodes []node, at place) (place, error) {
	for _, n := range nodes {
		var err error
		switch n := n.(type) {
		case *textNode:
			at = at.read(n.text)
			if at.broken != "" {
				return at, fail(n.line, "the first part of an address (such as https:) must be written out before a value; see attribute %s", at.broken)
			}
		case *outputNode:
			at, err = n.put(at)
		case *choiceNode:
			at, err = n.put(at)
		}
		if err != nil {
			return at, err
		}
	}
	return at, nil
}

func (n *outputNode) put(at place) (place, error) {
	switch at.mode {
	case inText, inComment, inDeclaration:
		return at, nil
	case inRaw:
		return at, n.putRaw(at)
	case inValue:
		return n.putValue(at)
	case beforeValue, inUnquoted:
		return at, fail(n.line, "put quotes around the value of %s: %s=\"{{ … }}\"", at.attr, at.attr)
	}
	return at, fail(n.line, "a value cannot stand inside the tag <%s> outside of quotes", at.elem)
}

func (n *outputNode) putRaw(at place) error {
	switch at.elem {
	case "style":
		n.place = escapeCSS
		return nil
	case "title", "textarea":
		return nil
	}
	return fail(n.line, "a value cannot stand inside <%s>; it could become code", at.elem)
}

func (n *outputNode) putValue(at place) (place, error) {
	switch {
	case strings.HasPrefix(at.attr, "on") || at.attr == "srcdoc":
		return at, fail(n.line, "a value cannot stand in the attribute %s; it could become code", at.attr)
	case at.attr == "style":
		n.place = escapeCSS
	case urlAttrs[at.attr] && at.url == urlStart:
		n.place, at.url = escapeURL, urlDynamic
	case urlAttrs[at.attr] && at.url != urlDecided:
		n.place, at.url = escapeURLPart, urlDynamic
	}
	return at, nil
}

var urlAttrs = map[string]bool{
	"href": true, "src": true, "action": true, "formaction": true, "background": true, "poster": true, "cite": true,
	"data": true, "longdesc": true, "xlink:href": true, "srcset": true, "ping": true, "manifest": true, "lowsrc": true, "dynsrc": true,
}

// put runs through all branches from the same place; they must meet again.
func (n *choiceNode) put(at place) (place, error) {
	ends := []place{}
	if !n.complete {
		ends = append(ends, at)
	}
	for i := range n.branches {
		end, err := placeAll(n.branches[i].body, at)
		if err != nil {
			return at, err
		}
		ends = append(ends, end)
	}
	met := ends[0]
	for _, end := range ends[1:] {
		met.url = max(met.url, end.url) // the later ones are the more careful ones
		end.url = met.url
		if end != met {
			return at, fail(n.line, "the parts of this condition end at different places of the HTML (one inside a tag or quotes, another outside); close tags and quotes within each part")
		}
	}
	return met, nil
}

// read moves on over text of the author.
func (p place) read(text string) place {
	for text != "" && p.broken == "" {
		switch p.mode {
		case inText:
			text = p.readText(text)
		case inComment:
			text = p.skipPast(text, "-->")
		case inDeclaration:
			text = p.skipPast(text, ">")
		case inRaw:
			text = p.readRaw(text)
		default:
			p.readTag(text[0])
			text = text[1:]
		}
	}
	return p
}

func (p *place) skipPast(text, end string) string {
	_, rest, found := strings.Cut(text, end)
	if found {
		*p = place{}
	}
	return rest
}

func (p *place) readText(text string) string {
	_, rest, found := strings.Cut(text, "<")
	if !found {
		return ""
	}
	switch {
	case strings.HasPrefix(rest, "!-->") || strings.HasPrefix(rest, "!--->"):
		return rest // a comment that is closed at once, part of the idiom for all mail programs but Outlook
	case strings.HasPrefix(rest, "!--") && !strings.HasPrefix(rest, "!--[if"):
		p.mode = inComment
		return rest[3:]
	case strings.HasPrefix(rest, "!") || strings.HasPrefix(rest, "?"):
		p.mode = inDeclaration // also <!--[if mso]>: what follows is live markup for Outlook
	case rest == "" || rest[0] == '/' || letter(rest[0]):
		// An end tag gets a name with a slash, so it opens no raw text.
		*p = place{mode: inTagName}
	}
	return rest
}

// readRaw looks for the end tag of script, style and the like; nothing else counts in there.
func (p *place) readRaw(text string) string {
	for {
		_, rest, found := strings.Cut(text, "</")
		if !found {
			return ""
		}
		n := len(p.elem)
		if len(rest) >= n && strings.EqualFold(rest[:n], p.elem) && (len(rest) == n || strings.IndexByte(" \t\r\n\f/>", rest[n]) >= 0) {
			*p = place{mode: inTag, elem: "/"}
			return rest[n:]
		}
		text = rest
	}
}

// readTag moves on by one byte inside <...>.
func (p *place) readTag(c byte) {
	space := c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f'
	switch p.mode {
	case inTagName:
		p.readTagName(c, space)
	case inTag:
		p.readInTag(c, space)
	case inAttrName, afterAttrName:
		p.readAttrName(c, space)
	case beforeValue:
		p.readBeforeValue(c, space)
	case inValue:
		if c == p.quote {
			p.mode, p.attr, p.quote, p.url = inTag, "", 0, urlStart
			return
		}
		p.readURL(c, space)
	case inUnquoted:
		if c == '>' {
			p.closeTag()
		} else if space {
			p.mode, p.attr = inTag, ""
		}
	}
}

func (p *place) readTagName(c byte, space bool) {
	switch {
	case c == '>':
		p.closeTag()
	case space || c == '/' && p.elem != "":
		p.mode = inTag
	default:
		p.elem = longer(p.elem, c)
	}
}

func (p *place) readInTag(c byte, space bool) {
	switch {
	case c == '>':
		p.closeTag()
	case !space && c != '/':
		p.mode, p.attr = inAttrName, longer("", c)
	}
}

func (p *place) readAttrName(c byte, space bool) {
	switch {
	case c == '>':
		p.closeTag()
	case c == '=':
		p.mode = beforeValue
	case c == '/':
		p.mode, p.attr = inTag, ""
	case space:
		p.mode = afterAttrName
	case p.mode == afterAttrName:
		p.mode, p.attr = inAttrName, longer("", c)
	default:
		p.attr = longer(p.attr, c)
	}
}

func (p *place) readBeforeValue(c byte, space bool) {
	switch {
	case c == '"' || c == '\'':
		p.mode, p.quote, p.url = inValue, c, urlStart
	case c == '>':
		p.closeTag()
	case !space:
		p.mode = inUnquoted
	}
}

// readURL follows the author's part of an address until its scheme is fixed.
func (p *place) readURL(c byte, space bool) {
	if !urlAttrs[p.attr] || p.url == urlDecided || space && p.url == urlStart {
		return
	}
	switch c {
	case ':':
		if p.url == urlDynamic {
			p.broken = p.attr
		}
		p.url = urlDecided
	case '/', '?', '#':
		p.url = urlDecided
	default:
		if p.url == urlStart {
			p.url = urlPrefix
		}
	}
}

var rawElements = map[string]bool{
	"script": true, "style": true, "title": true, "textarea": true, "xmp": true, "iframe": true, "noembed": true,
	"noframes": true, "plaintext": true,
}

func (p *place) closeTag() {
	if rawElements[p.elem] {
		*p = place{mode: inRaw, elem: p.elem}
		return
	}
	*p = place{}
}

// longer adds a byte to a name, in lower case. Names beyond what HTML knows stop growing, or a name of 64 KiB would
// cost its square.
func longer(name string, c byte) string {
	if len(name) >= 64 {
		return name
	}
	if c >= 'A' && c <= 'Z' {
		c += 'a' - 'A'
	}
	return name + string([]byte{c})
}
