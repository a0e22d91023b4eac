package ui

import (
	"context"
	"io"
)

// SignIn is the sign-in page's body, for Bare. The same Error stands for unknown
// and wrong; the e-mail is kept. Fields: email, password, next, and code when
// AskCode is set.
type SignIn struct {
	Action    string // POST, default "/sign-in"
	Title     string // default "Sign in"
	Intro     string
	Email     string
	Next      string // where to go afterwards, same origin
	Error     string
	AskCode   bool   // second step: six digits
	Locked    string // "Too many tries. Try again in 3 minutes."
	ResetHref string // "Forgot password?"
	Providers []Link // single sign-on
	// Hints are shown under the form, e.g. the demo accounts.
	Hints []string
}

// Render draws the body.
func (s SignIn) Render(ctx context.Context, w io.Writer) error { return signIn(s).Render(ctx, w) }

// focusID is where typing starts: the code, the password when the e-mail is
// known, else the e-mail.
func (s SignIn) focusID() string {
	switch {
	case s.AskCode:
		return "f-code"
	case s.Email != "":
		return "f-password"
	}
	return "f-email"
}

func (s SignIn) submit() string {
	if s.AskCode {
		return Words.Continue
	}
	return ""
}
