package ui

type keyLine struct{ Keys, Does string }

// keyMap is what `?` shows. Letters work outside fields only and can be switched
// off (Layout.NoLetterKeys).
var keyMap = []keyLine{
	{"Ctrl K", "Search and commands"},
	{"/", "Search this list"},
	{"c", "New, of what this page lists"},
	{"g h", "Go to Home; g i Inbox, g t Tasks, g c Contacts, g o Companies, g d Deals, g m Campaigns, g r Reports, g w Workflows, g s Settings"},
	{"j k", "Next and previous row or card"},
	{"Enter", "Open"},
	{"x", "Select the row; Shift x selects up to here"},
	{"Ctrl A", "Select all on this page"},
	{"Space", "On the board: lift and drop a card"},
	{"m", "Move the card or record to another stage"},
	{"n l t", "On a record: note, log call, task"},
	{"u", "Undo the last change"},
	{"[", "Fold the menu"},
	{"Ctrl Enter", "Send or save the form"},
	{"Esc", "Cancel, close, clear the selection"},
	{"?", "This list"},
}

func letters(l Layout) string {
	if l.NoLetterKeys {
		return "off"
	}
	return "on"
}

func pressed(on bool) string {
	if on {
		return "true"
	}
	return "false"
}

func toastRole(t Toast) string {
	if t.Bad {
		return "alert"
	}
	return "status"
}

func toastIcon(t Toast) string {
	if t.Bad {
		return "circle-alert"
	}
	return "check"
}
