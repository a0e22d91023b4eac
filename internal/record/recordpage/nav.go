package recordpage

import (
	"context"
	"slices"

	"crm/internal/platform/auth"
	"crm/internal/record"
	"crm/web/ui"
)

// Section is a place of the menu that is served by somebody else than the generic
// pages. Object is whose read right it needs; "" = everybody's.
type Section struct {
	Key    string // of ui.DefaultNav: "campaigns"
	Object string
}

// AddSection makes a place of the menu visible. Called at composition only.
func (s *Shell) AddSection(list ...Section) {
	for _, sec := range list {
		s.sections[sec.Key] = sec
	}
}

// SettingsItem is one line of the settings menu. Path is below /{workspace}.
type SettingsItem struct {
	Group  string
	Key    string
	Label  string
	Path   string
	Object string // whose read right it needs
	Action auth.Action
}

// AddSettings adds lines to the settings menu, in order. Called at composition only.
func (s *Shell) AddSettings(items ...SettingsItem) { s.settings = append(s.settings, items...) }

// icons of objects that have one of their own in the sprite.
var icons = map[string]string{
	"contact": "users", "account": "building-2", "lead": "magnet", "deal": "handshake", "activity": "circle-check", "message": "mail",
	"product": "tag", "user": "user", "team": "users-round", "campaign": "megaphone", "template": "file-text",
}

func iconOf(d *record.Definition) string {
	if i, ok := icons[d.Name]; ok && !d.Own() {
		return i
	}
	if d.Icon != "" {
		return d.Icon
	}
	return "table"
}

// nav is the menu with what the actor may use, in the words of the objects.
func (s *Shell) nav(ctx context.Context, a *auth.Actor, slug string, counts map[string]int) []ui.NavGroup {
	groups := ui.DefaultNav(slug, func(section string) bool { return s.mayOpen(a, section) }, counts)
	shown := map[string]bool{}
	for g := range groups {
		for i := range groups[g].Items {
			it := &groups[g].Items[i]
			shown[it.Key] = true
			if o, ok := s.k.ByPlural(it.Key); ok && o.Def.Name != "activity" {
				it.Label = o.Def.LabelPlural
			}
		}
	}
	return s.withOtherObjects(ctx, groups, a, slug, shown)
}

// withOtherObjects lists the objects the fixed menu does not know (products,
// custom objects) after the other records.
func (s *Shell) withOtherObjects(ctx context.Context, groups []ui.NavGroup, a *auth.Actor, slug string, shown map[string]bool) []ui.NavGroup {
	at := slices.IndexFunc(groups, func(g ui.NavGroup) bool { return g.Label == ui.Words.Records })
	if at < 0 {
		return groups
	}
	for _, o := range s.k.ObjectsFor(ctx) {
		if o.Def.System || shown[o.Def.Plural] || !reads(a, o.Def.Name) {
			continue
		}
		groups[at].Items = append(groups[at].Items, ui.NavItem{Key: o.Def.Plural, Label: o.Def.LabelPlural, Href: "/" + slug + "/" + o.Def.Plural, Icon: iconOf(o.Def)})
	}
	return groups
}

func (s *Shell) mayOpen(a *auth.Actor, section string) bool {
	if section == "home" {
		return true
	}
	if section == "inbox" {
		_, ok := s.k.Object("lead")
		return ok && reads(a, "lead")
	}
	if o, ok := s.k.ByPlural(section); ok {
		return reads(a, o.Def.Name)
	}
	sec, ok := s.sections[section]
	return ok && (sec.Object == "" || reads(a, sec.Object))
}

func reads(a *auth.Actor, object string) bool {
	return a.Grants.Scope(object, auth.Read) != auth.None
}

// settingsHref is the first page of the settings the actor may open.
func (s *Shell) settingsHref(a *auth.Actor, slug string) string {
	for _, it := range s.settings {
		if s.maySet(a, it) {
			return "/" + slug + "/settings"
		}
	}
	return "-"
}

func (s *Shell) maySet(a *auth.Actor, it SettingsItem) bool {
	action := it.Action
	if action == "" {
		action = auth.Update
	}
	return it.Object == "" || a.Grants.Scope(it.Object, action) != auth.None
}

// SettingsMenu is the menu of the settings pages.
func (s *Shell) SettingsMenu(a *auth.Actor, slug string) []ui.NavGroup {
	var out []ui.NavGroup
	for _, it := range s.settings {
		if !s.maySet(a, it) {
			continue
		}
		item := ui.NavItem{Key: it.Key, Label: it.Label, Href: "/" + slug + "/" + it.Path}
		at := slices.IndexFunc(out, func(g ui.NavGroup) bool { return g.Label == it.Group })
		if at < 0 {
			out = append(out, ui.NavGroup{Label: it.Group})
			at = len(out) - 1
		}
		out[at].Items = append(out[at].Items, item)
	}
	return s.withSettingsObjects(out, a, slug)
}

// withSettingsObjects adds the objects that are settings rather than records and
// that no page of their own stands for: pipelines, stages, forms.
func (s *Shell) withSettingsObjects(groups []ui.NavGroup, a *auth.Actor, slug string) []ui.NavGroup {
	g := ui.NavGroup{Label: "Set up"}
	for _, o := range s.k.Objects() {
		d := o.Def
		listed := slices.ContainsFunc(s.settings, func(it SettingsItem) bool { return it.Object == d.Name })
		if d.System && !listed && a.Grants.Scope(d.Name, auth.Update) != auth.None {
			g.Items = append(g.Items, ui.NavItem{Key: d.Plural, Label: d.LabelPlural, Href: "/" + slug + "/" + d.Plural})
		}
	}
	if len(g.Items) == 0 {
		return groups
	}
	return append(groups, g)
}
