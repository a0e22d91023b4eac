package ui

import (
	"context"
	"io"
	"strings"

	"github.com/a-h/templ"
)

// SetUp shows what an authenticator app reads: a picture, and the same in letters for
// whoever cannot use it.
type SetUp struct {
	Image  string // data: URL
	Alt    string
	Text   string
	Secret string
}

// Grouped is the secret in groups of four, as one types it.
func (s SetUp) Grouped() string {
	var out []string
	for i := 0; i < len(s.Secret); i += 4 {
		out = append(out, s.Secret[i:min(i+4, len(s.Secret))])
	}
	return strings.Join(out, " ")
}

// CodeList shows recovery codes, once.
type CodeList struct {
	Text  string
	Codes []string
	Next  *Link
}

// Titled is a page without a workspace, of several parts.
type Titled struct {
	Title string
	Text  string
	Parts []templ.Component
}

// PasskeyButton talks to the browser's passkeys. It is hidden where there is no script
// or no passkeys; Name and Proof are the fields sent along.
type PasskeyButton struct {
	Begin     string // POST, answers the options
	Finish    string // POST, takes the credential and answers {"to": address}
	Label     string
	Name      string
	NameLabel string
	Proof     *Field
	Failed    string // shown when the browser gave nothing
}

// Render draws the picture and the letters.
func (s SetUp) Render(ctx context.Context, w io.Writer) error { return setUp(s).Render(ctx, w) }

// Render draws the codes.
func (c CodeList) Render(ctx context.Context, w io.Writer) error { return codeList(c).Render(ctx, w) }

// Render draws the body.
func (t Titled) Render(ctx context.Context, w io.Writer) error { return titled(t).Render(ctx, w) }

// Render draws the button with its fields.
func (p PasskeyButton) Render(ctx context.Context, w io.Writer) error {
	return passkey(p).Render(ctx, w)
}
