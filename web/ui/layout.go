package ui

// Theme is the reader's choice of colours, kept in the cookie named by
// ThemeCookie so that the server draws the right one at once.
type Theme string

// The three themes. Auto follows the device.
const (
	ThemeAuto  Theme = ""
	ThemeLight Theme = "light"
	ThemeDark  Theme = "dark"
)

// ThemeCookie is written by the theme button (values "light", "dark", or removed)
// and read by the handler that fills Layout.Theme. It holds no personal data and
// is not HttpOnly because script writes it.
const ThemeCookie = "crm_theme"

// ThemeFrom turns the cookie's value into a Theme; anything unknown is ThemeAuto.
func ThemeFrom(cookie string) Theme {
	switch t := Theme(cookie); t {
	case ThemeLight, ThemeDark:
		return t
	}
	return ThemeAuto
}

// Density is the reader's choice of row height. Coarse pointers always get the
// tall rows whatever is chosen.
type Density string

// The two densities.
const (
	DensityComfortable Density = ""
	DensityCompact     Density = "compact"
)

// Workspace names the tenant the reader is in.
type Workspace struct {
	Slug string // URL segment, "acme"
	Name string // shown name, "Acme Instruments"
	Href string // where the name leads; default "/{slug}/home"
	Mark string // one or two letters in the square; default the name's first letter
	// Others lists the workspaces the reader can switch to; empty hides the switch.
	Others []Link
}

// User is the person reading the page.
type User struct {
	ID          string
	Name        string
	Initials    string // default computed from Name
	Role        string // shown under the name, "Sales manager"
	AccountHref string // default "/account"
}

// Link is a label that leads somewhere.
type Link struct {
	Label string
	Href  string
}

// NavItem is one line of the menu.
type NavItem struct {
	Key   string // matches Layout.Section, "contacts"
	Label string
	Href  string
	Icon  string // name in the sprite
	Count int    // shown when > 0; use it on Inbox and Tasks only
	Go    string // letter after `g` that leads here, "c"
	Tab   bool   // also in the phone tab bar (five at most)
	Short string // its word in the tab bar, default Label
}

// NavGroup is a titled run of menu lines; the first group has no title.
type NavGroup struct {
	Label string
	Items []NavItem
}

// Tone is the meaning a colour carries. It always stands beside a word.
type Tone string

// Tones with a meaning, and eight without one for stages and tags.
const (
	ToneNeutral Tone = ""
	ToneAccent  Tone = "accent"
	ToneGood    Tone = "good"
	ToneWarn    Tone = "warn"
	ToneBad     Tone = "bad"
	ToneAI      Tone = "ai"
	ToneCat1    Tone = "cat-1"
	ToneCat2    Tone = "cat-2"
	ToneCat3    Tone = "cat-3"
	ToneCat4    Tone = "cat-4"
	ToneCat5    Tone = "cat-5"
	ToneCat6    Tone = "cat-6"
	ToneCat7    Tone = "cat-7"
	ToneCat8    Tone = "cat-8"
)

// Category gives the n-th free tone (0-based, wraps after eight).
func Category(n int) Tone {
	tones := [...]Tone{ToneCat1, ToneCat2, ToneCat3, ToneCat4, ToneCat5, ToneCat6, ToneCat7, ToneCat8}
	return tones[((n%len(tones))+len(tones))%len(tones)]
}

// Toast is the one flash message of a page: done (with Undo), or refused.
type Toast struct {
	Text string
	Bad  bool // announced at once, stays longer
	// UndoURL makes the Undo button: a POST form with UndoFields.
	UndoURL    string
	UndoFields []Hidden
	Link       *Link // for long jobs: "See import"
}

// Banner is a standing note on top of a page; one per page at most.
type Banner struct {
	Tone    Tone // accent (info), good, warn, bad
	Text    string
	Detail  string
	Actions []Action
}

// Layout is everything around the body of a page inside a workspace.
type Layout struct {
	Workspace Workspace
	User      User
	Section   string // Key of the current NavItem
	Nav       []NavGroup
	Title     string // "{thing} · {list}"; the workspace name is added
	Theme     Theme
	Density   Density
	Nonce     string // hex, the same as in the CSP header
	Build     string // asset build id, default web.BuildID(); another id makes the next click a full load
	Toast     *Toast
	Banner    *Banner
	Format    Format
	// PaletteURL answers GET ?q= with JSON [{"label","hint","href","group"}];
	// default "/{slug}/palette".
	PaletteURL string
	// LiveURL is the SSE address, default "/live"; "-" switches live updates off.
	LiveURL      string
	NoLetterKeys bool   // the reader switched single-letter keys off (WCAG 2.1.4)
	SignOutURL   string // POST, default "/sign-out"
	ThemeURL     string // POST theme=light|dark|auto without script; empty hides the plain form
	SettingsHref string // default "/{slug}/settings"; "-" hides it
}

// BareLayout is the frame of a page outside any workspace.
type BareLayout struct {
	Title  string
	Brand  string // the tenant's or the product's name
	Theme  Theme
	Nonce  string
	Build  string
	Format Format
	Wide   bool // 68 characters instead of one narrow column
	// Reading gives a page of text and tables room, from the top.
	Reading bool
	Robots  string // "noindex" on token pages
}

func (l Layout) liveURL() string {
	if l.LiveURL == "-" {
		return ""
	}
	return or(l.LiveURL, "/live")
}

func (l Layout) home() string {
	return or(l.Workspace.Href, "/"+l.Workspace.Slug+"/home")
}

func (l Layout) palette() string {
	return or(l.PaletteURL, "/"+l.Workspace.Slug+"/palette")
}

func (l Layout) settings() string {
	return or(l.SettingsHref, "/"+l.Workspace.Slug+"/settings")
}

func (l Layout) documentTitle() string {
	if l.Title == "" {
		return l.Workspace.Name
	}
	return l.Title + " · " + l.Workspace.Name
}

// tabs are the items of the phone tab bar, five at most.
func (l Layout) tabs() []NavItem {
	var tabs []NavItem
	for _, g := range l.Nav {
		for _, it := range g.Items {
			if it.Tab && len(tabs) < 5 {
				tabs = append(tabs, it)
			}
		}
	}
	return tabs
}

func or(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}
