package record

import (
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// richType is text with a little formatting, kept as a small subset of HTML that is
// safe to show as it is. Everything else is dropped when it is read, once, so that
// no reader has to think of it.
type richType struct{ textType }

const (
	maxRich      = 100_000 // bytes of the cleaned text
	maxRichDepth = 50
)

func (richType) Name() string { return "rich_text" }
func (richType) Ops() []Op    { return []Op{Contains, IsNull} }

func (t richType) Parse(f *Field, raw any) (any, error) {
	s, ok := raw.(string)
	if !ok {
		return nil, wrongType(f, "text")
	}
	return t.ParseText(f, s)
}

func (richType) ParseText(f *Field, s string) (any, error) {
	if len(s) > 4*maxRich {
		return nil, refuse(f, "too_long", "%s may have at most %d characters.", f.Label, maxRich)
	}
	out := CleanHTML(s)
	if utf8.RuneCountInString(out) > maxRich {
		return nil, refuse(f, "too_long", "%s may have at most %d characters.", f.Label, maxRich)
	}
	if strings.TrimSpace(PlainText(out)) == "" {
		return nil, nil
	}
	return out, nil
}

// richTags are the elements that stay; richGone those that go with all they hold.
var (
	richTags = []atom.Atom{
		atom.P, atom.Br, atom.B, atom.Strong, atom.I, atom.Em, atom.U, atom.S, atom.Ul, atom.Ol, atom.Li,
		atom.Blockquote, atom.Code, atom.Pre, atom.H1, atom.H2, atom.H3, atom.Hr, atom.A,
	}
	richGone  = []atom.Atom{atom.Script, atom.Style, atom.Iframe, atom.Object, atom.Embed, atom.Template, atom.Noscript, atom.Textarea, atom.Select, atom.Title, atom.Head, atom.Math, atom.Svg, atom.Xmp, atom.Noembed, atom.Noframes, atom.Plaintext}
	richBlock = []atom.Atom{atom.P, atom.Br, atom.Li, atom.Blockquote, atom.Pre, atom.H1, atom.H2, atom.H3, atom.Hr}
)

// CleanHTML keeps the allowed elements, without attributes but the address of a
// link, and the text of all others but scripts and the like.
func CleanHTML(s string) string {
	body := &html.Node{Type: html.ElementNode, Data: "body", DataAtom: atom.Body}
	nodes, err := html.ParseFragment(strings.NewReader(CleanText(s)), body)
	if err != nil {
		return html.EscapeString(CleanText(s))
	}
	var b strings.Builder
	for _, n := range nodes {
		writeRich(&b, n, 0)
	}
	return strings.TrimSpace(b.String())
}

func writeRich(b *strings.Builder, n *html.Node, depth int) {
	if n.Type == html.TextNode {
		b.WriteString(html.EscapeString(n.Data))
		return
	}
	if n.Type != html.ElementNode || n.Namespace != "" || slices.Contains(richGone, n.DataAtom) || depth > maxRichDepth {
		return
	}
	kept := slices.Contains(richTags, n.DataAtom)
	if kept {
		b.WriteString("<" + n.Data + linkOf(n) + ">")
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		writeRich(b, c, depth+1)
	}
	if kept && n.DataAtom != atom.Br && n.DataAtom != atom.Hr {
		b.WriteString("</" + n.Data + ">")
	}
}

// linkOf is the one attribute that stays: where a link leads, when that is a web or
// mail address. The page it leads to learns nothing of ours.
func linkOf(n *html.Node) string {
	if n.DataAtom != atom.A {
		return ""
	}
	for _, a := range n.Attr {
		if a.Key != "href" {
			continue
		}
		u, err := url.Parse(strings.TrimSpace(a.Val))
		if err != nil || !slices.Contains([]string{"http", "https", "mailto"}, u.Scheme) {
			return ""
		}
		return ` href="` + html.EscapeString(u.String()) + `" rel="noopener noreferrer nofollow"`
	}
	return ""
}

// PlainText is what a reader sees of a rich text, in lines.
func PlainText(s string) string {
	body := &html.Node{Type: html.ElementNode, Data: "body", DataAtom: atom.Body}
	nodes, err := html.ParseFragment(strings.NewReader(s), body)
	if err != nil {
		return s
	}
	var b strings.Builder
	var walk func(n *html.Node, depth int)
	walk = func(n *html.Node, depth int) {
		if n.Type == html.TextNode {
			b.WriteString(n.Data)
		}
		for c := n.FirstChild; c != nil && depth < 2*maxRichDepth; c = c.NextSibling {
			walk(c, depth+1)
		}
		if n.Type == html.ElementNode && slices.Contains(richBlock, n.DataAtom) {
			b.WriteByte('\n')
		}
	}
	for _, n := range nodes {
		walk(n, 0)
	}
	return strings.TrimSpace(b.String())
}
