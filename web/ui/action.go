package ui

// Weight is how loud a button is. One Primary per view.
type Weight string

// Button weights.
const (
	Default Weight = ""
	Primary Weight = "primary"
	Ghost   Weight = "ghost"
	Danger  Weight = "danger"
)

// Hidden is one hidden form field.
type Hidden struct {
	Name  string
	Value string
}

// Action is a button. With Post it is a small form, with Href a link, with
// Dialog it opens the <dialog> of that id (and needs script, so give Href as the
// page that does the same).
type Action struct {
	Label  string
	Weight Weight
	Icon   string // name in the sprite; a word always stands beside it
	Href   string
	Post   string // POST address
	Fields []Hidden
	Dialog string
	Key    string // letter shown and bound on this page, "c"
	Busy   string // shown while a POST runs: "Sending…"
	// Off explains why the action cannot be used; it is shown as help and the
	// button does nothing. A disabled button without a reason does not exist.
	Off string
	// Ask, when set, is the exact question asked before a Post runs; only for
	// sends and erasures: "Send to 1,204 people?".
	Ask string
}
