package ui

// words are the few the components say by themselves, one field each so that a
// missing translation is a compile error. Everything else on a page comes in with
// the view structs, already in the reader's language.
type words struct {
	HintMove         string
	HintSelect       string
	HintKeys         string
	Pages            string
	LeaveEmpty       string
	Live             string
	RowInFile        string
	Verdict          string
	In               string
	JustNow          string
	AgoWord          string
	InboxShort       string
	Score            string
	Home             string
	Inbox            string
	Tasks            string
	Records          string
	Contacts         string
	Companies        string
	Leads            string
	Deals            string
	Reach            string
	Messages         string
	Campaigns        string
	Templates        string
	Segments         string
	Insight          string
	Reports          string
	Forecast         string
	Automate         string
	Workflows        string
	Settings         string
	Skip             string
	Menu             string
	Search           string
	Theme            string
	ThemeLight       string
	ThemeDark        string
	ThemeAuto        string
	SignOut          string
	Account          string
	Undo             string
	Close            string
	Back             string
	More             string
	Cancel           string
	Save             string
	Add              string
	Views            string
	ShownAs          string
	Private          string
	Edited           string
	SaveNew          string
	SaveSegment      string
	SharedWith       string
	SharedNobody     string
	SharedTeam       string
	SharedAll        string
	Columns          string
	PlaceOf          string
	Reset            string
	NewViewName      string
	AddFilter        string
	Apply            string
	RemoveFilter     string
	EditFilter       string
	ClearAll         string
	SelectRow        string
	SelectPage       string
	Selected         string
	SelectAll        string
	ClearSelection   string
	Previous         string
	Next             string
	Empty            string
	Yes              string
	Machine          string
	Why              string
	NotEnough        string
	Stale            string
	Accepted         string
	Overridden       string
	Required         string
	FixThese         string
	Overdue          string
	Today            string
	Yesterday        string
	Tomorrow         string
	NoStep           string
	MoveTo           string
	Weighted         string
	Closes           string
	LostWhy          string
	LostReason       string
	MarkLost         string
	ShowMore         string
	Timeline         string
	Planned          string
	Older            string
	NothingYet       string
	From             string
	To               string
	Details          string
	All              string
	Edit             string
	WrittenBy        string
	Keyboard         string
	SignIn           string
	Email            string
	Password         string
	Code             string
	CodeHelp         string
	Forgot           string
	OrWith           string
	Continue         string
	NeedsYou         string
	AllClear         string
	WonSoFar         string
	WeightedForecast string
	Target           string
	NextMeetings     string
	Join             string
	NoMessage        string
	Attempts         string
	Events           string
	To2              string
	Preview          string
	Scheduled        string
	FileField        string
	Sample           string
	FieldIn          string
	DontImport       string
	Guessed          string
	Line             string
	DownloadErrors   string
	UploadStep       string
	MapStep          string
	PreviewStep      string
	ProgressStep     string
	ResultStep       string
	Calibration      string
	Lift             string
	Importance       string
	Predicted        string
	Observed         string
	Count            string
	Tenth            string
	TimesChance      string
	BecameDeals      string
	ShowTable        string
	RequestID        string
	Unsubscribe      string
	UnsubscribeText  string

	APIAnswers, APIBase, APIBody, APIDocument, APIKey, APIKeyHelp, APIParams, APIProblem, APIRequired, APISend, APISubjects, APITry string
	Unsubscribed                                                                                                                    string
	UnsubscribedText                                                                                                                string
	StayOn                                                                                                                          string
	NotFoundTitle                                                                                                                   string
	NotFoundText                                                                                                                    string
	ForbiddenTitle                                                                                                                  string
	ForbiddenText                                                                                                                   string
	BrokenTitle                                                                                                                     string
	BrokenText                                                                                                                      string
	Pipeline                                                                                                                        string
	Board                                                                                                                           string
	Navigation                                                                                                                      string
	DragHelp                                                                                                                        string
	Palette                                                                                                                         string
	PaletteHint                                                                                                                     string
	Step                                                                                                                            string
	Kind                                                                                                                            string
	Refresh                                                                                                                         string
	PointsOff                                                                                                                       string
	KeepThese                                                                                                                       string
	DropWon                                                                                                                         string
	DropLost                                                                                                                        string
}

// Words are the English words of the components. Read only.
var Words = words{
	HintMove:         "move",
	HintSelect:       "select",
	HintKeys:         "keys",
	Pages:            "Pages",
	LeaveEmpty:       "Leave this empty",
	Live:             "Updates live",
	RowInFile:        "In the file",
	Verdict:          "What happens",
	In:               "in",
	JustNow:          "just now",
	AgoWord:          "ago",
	InboxShort:       "Inbox",
	Score:            "Score",
	Home:             "Home",
	Inbox:            "Lead inbox",
	Tasks:            "Tasks",
	Records:          "Records",
	Contacts:         "Contacts",
	Companies:        "Companies",
	Leads:            "Leads",
	Deals:            "Deals",
	Reach:            "Reach",
	Messages:         "Messages",
	Campaigns:        "Campaigns",
	Templates:        "Templates",
	Segments:         "Segments",
	Insight:          "Insight",
	Reports:          "Reports",
	Forecast:         "Forecast",
	Automate:         "Automate",
	Workflows:        "Workflows",
	Settings:         "Settings",
	Skip:             "Skip to the content",
	Menu:             "Menu",
	Search:           "Search",
	Theme:            "Colours",
	ThemeLight:       "Light",
	ThemeDark:        "Dark",
	ThemeAuto:        "Like the device",
	SignOut:          "Sign out",
	Account:          "My account",
	Undo:             "Undo",
	Close:            "Close",
	Back:             "Back",
	More:             "More",
	Cancel:           "Cancel",
	Save:             "Save",
	Add:              "Add",
	Views:            "Views",
	ShownAs:          "Shown as",
	Private:          "only you",
	Edited:           "Edited",
	SaveNew:          "Save as new",
	SaveSegment:      "Save as segment",
	SharedWith:       "Who has it",
	SharedNobody:     "Only me",
	SharedTeam:       "My team",
	SharedAll:        "Everybody",
	Columns:          "Columns",
	PlaceOf:          "Place of",
	Reset:            "Reset",
	NewViewName:      "Name of the view",
	AddFilter:        "Filter",
	Apply:            "Apply",
	RemoveFilter:     "Remove filter",
	EditFilter:       "Edit filter",
	ClearAll:         "Clear all",
	SelectRow:        "Select",
	SelectPage:       "Select all on this page",
	Selected:         "selected",
	SelectAll:        "Select all that match",
	ClearSelection:   "Clear selection",
	Previous:         "Previous",
	Next:             "Next",
	Empty:            "Empty",
	Yes:              "Yes",
	Machine:          "AI",
	Why:              "Why",
	NotEnough:        "Not enough yet",
	Stale:            "Data changed since",
	Accepted:         "Accepted",
	Overridden:       "Changed by a person",
	Required:         "required",
	FixThese:         "Not saved yet. Look at these first:",
	Overdue:          "Overdue",
	Today:            "Today",
	Yesterday:        "Yesterday",
	Tomorrow:         "Tomorrow",
	NoStep:           "No next step",
	MoveTo:           "Move to…",
	Weighted:         "weighted",
	Closes:           "Closes",
	LostWhy:          "Why was it lost?",
	LostReason:       "Reason",
	MarkLost:         "Mark as lost",
	ShowMore:         "Show all",
	Timeline:         "Timeline",
	Planned:          "Ahead",
	Older:            "Older",
	NothingYet:       "Nothing has happened here yet. Write a note or log a call to begin.",
	From:             "from",
	To:               "to",
	Details:          "Details",
	All:              "All",
	Edit:             "Edit",
	WrittenBy:        "Written by AI",
	Keyboard:         "Keys of this page",
	SignIn:           "Sign in",
	Email:            "E-mail",
	Password:         "Password",
	Code:             "Code",
	CodeHelp:         "Six digits from your authenticator app, or a recovery code.",
	Forgot:           "Forgot your password?",
	OrWith:           "or with",
	Continue:         "Continue",
	NeedsYou:         "Needs you",
	AllClear:         "Nothing needs you right now.",
	WonSoFar:         "won",
	WeightedForecast: "Weighted forecast",
	Target:           "Target",
	NextMeetings:     "Next meetings",
	Join:             "Join",
	NoMessage:        "Choose a message to read it.",
	Attempts:         "Attempts",
	Events:           "What came back",
	To2:              "To",
	Preview:          "Preview",
	Scheduled:        "Goes out",
	FileField:        "Column in the file",
	Sample:           "Sample",
	FieldIn:          "Goes into",
	DontImport:       "Leave out",
	Guessed:          "guessed",
	Line:             "Line",
	DownloadErrors:   "Download the rows that failed",
	UploadStep:       "File",
	MapStep:          "Columns",
	PreviewStep:      "Check",
	ProgressStep:     "Running",
	ResultStep:       "Result",
	Calibration:      "Calibration",
	Lift:             "Lift",
	Importance:       "What it looks at",
	Predicted:        "Predicted",
	Observed:         "Came true",
	Count:            "Rows",
	Tenth:            "Tenth of the list",
	TimesChance:      "times chance",
	BecameDeals:      "Share won",
	ShowTable:        "Show as table",
	RequestID:        "Reference",
	Unsubscribe:      "Stop these e-mails",
	APIAnswers:       "Answers", APIBase: "Paths begin with", APIBody: "Body", APIDocument: "The OpenAPI document",
	APIKey: "Your API key", APIKeyHelp: "It stays in this tab and is sent to this installation only. Make one with crm apikey create, best with a role that may do little.",
	APIParams: "Parameters", APIProblem: "Anything else is an application/problem+json with a code and, for bad input, the fields.", APIRequired: "required",
	APISend: "Send", APISubjects: "Subjects", APITry: "Try it",
	UnsubscribeText:  "You will no longer get marketing e-mails at this address. Messages about things you ordered still arrive.",
	Unsubscribed:     "Done. No more of these e-mails.",
	UnsubscribedText: "It can take a few minutes for mails already on their way.",
	StayOn:           "I want them after all",
	NotFoundTitle:    "There is nothing here",
	NotFoundText:     "The page may have moved, or it belongs to a workspace you cannot see.",
	ForbiddenTitle:   "Your role cannot open this",
	ForbiddenText:    "Ask an admin of this workspace for the right.",
	BrokenTitle:      "Something broke on our side",
	BrokenText:       "It has been written down. Try again in a moment; if it stays, send us the reference below.",
	Pipeline:         "Pipeline",
	Board:            "Board",
	Navigation:       "Main menu",
	DragHelp:         "Space lifts the card, arrow keys move it, Space drops it, Escape puts it back.",
	Palette:          "Search and commands",
	PaletteHint:      "Type a name, a place or a thing to do",
	Step:             "Step",
	Kind:             "Kind",
	Refresh:          "Refresh",
	PointsOff:        "points off at most",
	KeepThese:        "Keep getting these",
	DropWon:          "Drop here when it is won",
	DropLost:         "Drop here when it is lost",
}
