package ui_test

import (
	"fmt"
	"time"

	"github.com/a-h/templ"

	"crm/web/ui"
)

// noon is the moment all samples are read at.
var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func sampleLayout() ui.Layout {
	return ui.Layout{
		Workspace: ui.Workspace{Slug: "acme", Name: "Acme"}, User: ui.User{Name: "Mia Brandt", Role: "Manager"},
		Section: "contacts", Title: "Contacts", Nonce: "0123abcd", Nav: ui.DefaultNav("acme", nil, map[string]int{"inbox": 12}),
		Toast:  &ui.Toast{Text: "Moved", UndoURL: "/acme/undo", UndoFields: []ui.Hidden{{Name: "seq", Value: "7"}}},
		Banner: &ui.Banner{Tone: ui.ToneWarn, Text: "Read only"}, Format: ui.Format{Now: noon},
	}
}

func sampleReasons() []ui.Reason {
	return []ui.Reason{{Text: "Opened the price list", Effect: 12}, {Text: "Company of 200 to 500 people", Effect: 9}, {Text: "Asked for a call through the form", Effect: 7.5}, {Text: "No reply for 9 days", Effect: -4.5}}
}

func sampleList(rows int) ui.ListPage {
	p := ui.ListPage{
		Object: "contacts", Title: "Contacts", BulkURL: "/acme/contacts/bulk", Bulk: []ui.BulkAction{{Action: ui.Action{Label: "Delete"}}},
		Primary: &ui.Action{Label: "Add contact", Weight: ui.Primary, Href: "/acme/contacts/new", Key: "c"},
		Search:  &ui.Search{Action: "/acme/contacts", Label: "Search contacts"},
		Columns: []ui.Column{{Label: "Name", SortHref: "?sort=name", Sorted: ui.Ascending}, {Label: "Company"}, {Label: "State"}, {Label: "Score", Machine: true}, {Label: "Amount", Right: true}, {Label: "Owner"}, {Label: "Next"}, {Label: "Tags"}},
		Footer:  ui.ListFooter{Count: "50 of 2,041", NextHref: "?cursor=x"},
	}
	for i := range rows {
		id := fmt.Sprintf("01930000-0000-7000-8000-%012d", i)
		p.Rows = append(p.Rows, ui.Row{ID: id, Cells: []ui.Value{
			ui.TextLink{Text: fmt.Sprintf("Person %d", i), Href: "/acme/contacts/" + id, Sub: "Buyer", Avatar: &ui.Avatar{Name: fmt.Sprintf("Person %d", i)}},
			ui.Ref{Name: fmt.Sprintf("Company %d", i*7), Href: "/acme/accounts/" + id},
			ui.Choice{Label: "Working", Tone: ui.ToneCat1},
			ui.Score{Value: i, Reasons: sampleReasons()},
			ui.Money{Minor: int64(i) * 12345, Currency: "EUR"},
			ui.Person{Name: "Tom Okafor"},
			ui.Due{At: noon.AddDate(0, 0, i-3)},
			ui.Tags{Items: []ui.Choice{{Label: "Lab"}}},
		}, Actions: []ui.Action{{Label: "Delete", Post: "/acme/contacts/" + id + "/delete"}}})
	}
	return p
}

func sampleBoard() ui.BoardPage {
	card := ui.Card{ID: "d1", Name: "Fleet telemetry", Href: "/acme/deals/d1", Company: "Atlas", Amount: ui.Money{Minor: 4800000, Currency: "EUR"}, Close: noon, Version: 3, MoveURL: "/acme/deals/d1/move", Score: &ui.Score{Value: 40, Reasons: sampleReasons()}}
	return ui.BoardPage{Object: "deals", Title: "Deals", Columns: []ui.BoardColumn{
		{ID: "s1", Name: "Qualified", Count: 1, Cards: []ui.Card{card}},
		{ID: "s2", Name: "Won", Outcome: ui.OutcomeWon},
		{ID: "s3", Name: "Lost", Outcome: ui.OutcomeLost, Reasons: []ui.Option{{Value: "price", Label: "Price"}}},
	}}
}

func sampleForm() ui.Form {
	kinds := []ui.FieldKind{ui.FieldText, ui.FieldLong, ui.FieldEmail, ui.FieldPhone, ui.FieldURL, ui.FieldNumber, ui.FieldMoney, ui.FieldDate, ui.FieldDateTime, ui.FieldSelect, ui.FieldMulti, ui.FieldCheck, ui.FieldSwitch, ui.FieldRadio, ui.FieldRelation, ui.FieldPassword, ui.FieldFile, ui.FieldCode, ui.FieldSearch, ui.FieldTags, ui.FieldColor}
	f := ui.Form{Action: "/acme/contacts", Submit: "Add contact", Groups: []ui.FieldGroup{{}}}
	for _, k := range kinds {
		f.Groups[0].Fields = append(f.Groups[0].Fields, ui.Field{Name: string(k), Label: "A " + string(k), Kind: k, Help: "Help", Error: "Enter an address like name@company.com.", Options: []ui.Option{{Value: "a", Label: "A"}}, Currency: "EUR", Currencies: []string{"EUR", "USD"}})
	}
	return f
}

// samplePages is one body of every kind, empty and filled.
func samplePages() map[string]templ.Component {
	return map[string]templ.Component{
		"list": sampleList(3), "list empty": ui.ListPage{Empty: &ui.EmptyState{Title: "No contacts yet"}},
		"record": ui.RecordPage{Object: "contacts", ID: "1", Name: "Ada Khan", Details: []ui.PropertyGroup{{Properties: []ui.Property{{Name: "email", Label: "E-mail", Value: ui.Email{Address: "a@b.example"}, Edit: &ui.Field{Name: "email", Kind: ui.FieldEmail}, EditURL: "/x"}}}}}, "record empty": ui.RecordPage{},
		"board": sampleBoard(), "board empty": ui.BoardPage{}, "form": ui.FormPage{Title: "Add", Form: sampleForm()}, "form empty": ui.FormPage{},
		"home": ui.Home{Month: &ui.Month{}, Needs: []ui.NeedGroup{{Items: []ui.Need{{}}}}}, "home empty": ui.Home{},
		"messages": ui.MessagePage{Detail: &ui.MessageDetail{}, Messages: []ui.MessageRow{{}}}, "composer": ui.Composer{},
		"campaign": ui.CampaignStatus{Total: 10, Done: 3}, "settings": ui.SettingsPage{Sections: []ui.Section{{Secret: &ui.Secret{}, Table: &ui.Table{}, Form: &ui.Form{}, Model: &ui.ModelCard{Calibration: []ui.CalibrationBin{{}}, Lift: []ui.LiftBin{{}}, Importance: []ui.Importance{{}}}}}},
		"upload": ui.ImportWizard{Upload: &ui.ImportUploadView{}}, "map": ui.ImportWizard{Map: &ui.ImportMapView{Columns: []ui.ImportColumn{{}}}}, "preview": ui.ImportWizard{Preview: &ui.ImportPreviewView{Rows: []ui.ImportPreviewRow{{}}}}, "progress": ui.ImportWizard{Progress: &ui.ImportProgressView{}}, "result": ui.ImportWizard{Result: &ui.ImportResultView{Errors: []ui.ImportPreviewRow{{Cells: []string{"a"}}}}},
		"error": ui.ErrorPage{Status: 404}, "public form": ui.PublicForm{}, "thanks": ui.PublicForm{Thanks: &ui.Thanks{}}, "unsubscribe": ui.Unsubscribe{}, "unsubscribed": ui.Unsubscribe{Done: true}, "notice": ui.Notice{}, "sign in": ui.SignIn{}, "code": ui.SignIn{AskCode: true, Error: "This code has expired."},
		"style guide": ui.StyleGuide{}, "chart": ui.BarChart{Bars: []ui.Bar{{}}},
	}
}
