package ui

import (
	"context"
	"io"

	"github.com/a-h/templ"
)

// Screen is one whole HTML document inside a workspace: the frame and its body.
type Screen struct {
	Layout Layout
	Body   templ.Component
}

// Render writes the document. It fails only when the writer or the body fails.
func (s Screen) Render(ctx context.Context, w io.Writer) error {
	return Page(s.Layout).Render(templ.WithChildren(ctx, s.Body), w)
}

// BareScreen is one whole HTML document outside any workspace.
type BareScreen struct {
	Frame BareLayout
	Body  templ.Component
}

// Render writes the document.
func (s BareScreen) Render(ctx context.Context, w io.Writer) error {
	return Bare(s.Frame).Render(templ.WithChildren(ctx, s.Body), w)
}
