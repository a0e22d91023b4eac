package ui

// DefaultNav is the menu of the design language for a workspace. may reports
// whether the reader can use a section (nil = all); counts feeds the numbers
// beside Inbox and Tasks. Sections a role cannot use are left out, and a group
// left without items goes too.
func DefaultNav(slug string, may func(section string) bool, counts map[string]int) []NavGroup {
	at := func(path string) string { return "/" + slug + "/" + path }
	all := []NavGroup{
		{Items: []NavItem{
			{Key: "home", Label: Words.Home, Href: at("home"), Icon: "house", Go: "h", Tab: true},
			{Key: "inbox", Label: Words.Inbox, Short: Words.InboxShort, Href: at("inbox"), Icon: "inbox", Go: "i", Tab: true},
			{Key: "activities", Label: Words.Tasks, Href: at("activities"), Icon: "circle-check", Go: "t", Tab: true},
		}},
		{Label: Words.Records, Items: []NavItem{
			{Key: "contacts", Label: Words.Contacts, Href: at("contacts"), Icon: "users", Go: "c", Tab: true},
			{Key: "accounts", Label: Words.Companies, Href: at("accounts"), Icon: "building-2", Go: "o"},
			{Key: "leads", Label: Words.Leads, Href: at("leads"), Icon: "magnet", Go: "l"},
			{Key: "deals", Label: Words.Deals, Href: at("deals?view=board"), Icon: "handshake", Go: "d", Tab: true},
		}},
		{Label: Words.Reach, Items: []NavItem{
			{Key: "messages", Label: Words.Messages, Href: at("messages"), Icon: "mail", Go: "e"},
			{Key: "campaigns", Label: Words.Campaigns, Href: at("campaigns"), Icon: "megaphone", Go: "m"},
			{Key: "templates", Label: Words.Templates, Href: at("templates"), Icon: "file-text"},
			{Key: "segments", Label: Words.Segments, Href: at("segments"), Icon: "filter"},
		}},
		{Label: Words.Insight, Items: []NavItem{
			{Key: "reports", Label: Words.Reports, Href: at("reports"), Icon: "chart-column", Go: "r"},
			{Key: "forecast", Label: Words.Forecast, Href: at("forecast"), Icon: "trending-up"},
		}},
		{Label: Words.Automate, Items: []NavItem{
			{Key: "workflows", Label: Words.Workflows, Href: at("workflows"), Icon: "workflow", Go: "w"},
		}},
	}
	return keepUsable(all, may, counts)
}

func keepUsable(groups []NavGroup, may func(string) bool, counts map[string]int) []NavGroup {
	var kept []NavGroup
	for _, g := range groups {
		items := make([]NavItem, 0, len(g.Items))
		for _, it := range g.Items {
			if may != nil && !may(it.Key) {
				continue
			}
			it.Count = counts[it.Key]
			items = append(items, it)
		}
		if len(items) > 0 {
			kept = append(kept, NavGroup{Label: g.Label, Items: items})
		}
	}
	return kept
}
