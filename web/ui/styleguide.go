package ui

import (
	"context"
	"io"
)

// StyleGuide is the page /styleguide: every component in its states, with made-up
// data. It is the place to look before a new component is invented.
type StyleGuide struct{}

// Render draws the page body.
func (StyleGuide) Render(ctx context.Context, w io.Writer) error { return nil }
