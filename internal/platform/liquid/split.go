package liquid

import "strings"

// piece is a part of the source: text, {{ output }} or {% tag %}.
type piece struct {
	kind pieceKind
	text string // for output and tags what stands between the braces, trimmed
	line int
}

type pieceKind int

const (
	pieceText pieceKind = iota
	pieceOutput
	pieceTag
)

// split cuts the source at its braces and applies white space control: a dash inside the braces takes away the white
// space outside them.
func split(src string) ([]piece, error) {
	var pieces []piece
	line, trimNext := 1, false
	for {
		at, kind := nextOpen(src)
		text := src
		if at >= 0 {
			text = src[:at]
		}
		first := line
		line += strings.Count(text, "\n")
		trimPrev := at >= 0 && strings.HasPrefix(src[at+2:], "-")
		if text = trimText(text, trimNext, trimPrev); text != "" {
			pieces = append(pieces, piece{pieceText, text, first})
		}
		if at < 0 {
			return pieces, nil
		}
		inside, rest, err := inner(src[at:], kind, line)
		if err != nil {
			return nil, err
		}
		pieces = append(pieces, piece{kind, strings.TrimSpace(trimDashes(inside)), line})
		line += strings.Count(inside, "\n")
		trimNext = strings.HasSuffix(inside, "-")
		src = rest
	}
}

// nextOpen finds the first opening braces, -1 when there are none.
func nextOpen(src string) (int, pieceKind) {
	for from := 0; ; {
		i := strings.IndexByte(src[from:], '{')
		if i < 0 || from+i+1 >= len(src) {
			return -1, pieceText
		}
		at := from + i
		switch src[at+1] {
		case '{':
			return at, pieceOutput
		case '%':
			return at, pieceTag
		}
		from = at + 1
	}
}

// inner returns what stands between the braces src begins with, and what follows.
func inner(src string, kind pieceKind, line int) (inside, rest string, err error) {
	open, end := "{{", "}}"
	if kind == pieceTag {
		open, end = "{%", "%}"
	}
	inside, rest, closed := strings.Cut(src[2:], end)
	if !closed || strings.Contains(inside, "{{") || strings.Contains(inside, "{%") {
		return "", "", fail(line, "“%s” is opened here but not closed; add “%s”", open, end)
	}
	return inside, rest, nil
}

func trimDashes(inside string) string {
	return strings.TrimSuffix(strings.TrimPrefix(inside, "-"), "-")
}

func trimText(text string, left, right bool) string {
	if left {
		text = strings.TrimLeft(text, " \t\r\n")
	}
	if right {
		text = strings.TrimRight(text, " \t\r\n")
	}
	return text
}
