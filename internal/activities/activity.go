package activities

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/record"
)

// Types of activities.
const (
	Task    = "task"
	Call    = "call"
	Meeting = "meeting"
	Email   = "email"
	Note    = "note"
)

// Activity is something done or to do. DurationMinutes is how long it takes or
// took. Related is a list of {object, id}, Attendees one of {name, email}.
type Activity struct {
	record.Base
	Type            string     `crm:"type,select,required,options=task|call|meeting|email|note,default=task"`
	Subject         string     `crm:"subject,text,required,search,title"`
	Body            string     `crm:"body,long_text,search"`
	DueAt           *time.Time `crm:"due_at,datetime" label:"Due"`
	DurationMinutes *int64     `crm:"duration_minutes,integer" label:"Minutes"`
	DoneAt          *time.Time `crm:"done_at,datetime" label:"Done"`
	Priority        string     `crm:"priority,select,options=low|normal|high:warn,default=normal"`
	Outcome         string     `crm:"outcome,text"`
	Related         any        `crm:"related,json" label:"About"`
	Attendees       any        `crm:"attendees,json"`
}

func (s *Service) register(k *record.Kernel) (err error) {
	s.Activities, err = record.Register[Activity](k, record.Definition{
		Name: "activity", Plural: "activities", Label: "Activity", LabelPlural: "Activities", Owned: true,
		ListFields: []string{"type", "subject", "due_at", "priority", "done_at", "owner_id", "created_at"},
		Links:      carried(), Details: []record.Detail{{Table: "activity_links", Column: "activity_id"}},
	}, record.HooksFor[Activity]{Before: s.before, After: s.after, Refs: refs})
	return err
}

// before prepares every activity of a save and looks the added related records up
// together: one query per object, also for a thousand rows.
func (s *Service) before(ctx context.Context, _ pgx.Tx, changes []record.TypedChange[Activity]) error {
	if record.Undoing(ctx) {
		return nil
	}
	var added []Link
	for _, c := range changes {
		if c.New.DeletedAt != nil {
			continue
		}
		links, err := s.prepare(ctx, c.Old, c.New)
		if err != nil {
			return err
		}
		added = append(added, links...)
	}
	return s.mustSee(ctx, added)
}

// prepare applies the rules to one activity and returns the links it adds.
func (s *Service) prepare(ctx context.Context, old, a *Activity) ([]Link, error) {
	if a.Type == Note && a.Subject == "" {
		a.Subject = firstLine(a.Body)
	}
	if err := checkDuration(a.DurationMinutes); err != nil {
		return nil, err
	}
	if old == nil || !record.Same(old.Attendees, a.Attendees) {
		attendees, err := readAttendees(a.Attendees)
		if err != nil {
			return nil, err
		}
		a.Attendees = attendees
	}
	var before any
	if old != nil {
		before = old.Related
	}
	if record.Same(before, a.Related) {
		return nil, nil
	}
	links, err := readLinks(a.Related, func(name string) string { return s.objectName(ctx, name) })
	if err != nil {
		return nil, err
	}
	a.Related = storedLinks(links)
	return without(links, Links(before)), nil
}

func refs(a *Activity) []uuid.UUID {
	var out []uuid.UUID
	for _, l := range Links(a.Related) {
		out = append(out, l.ID)
	}
	return out
}
