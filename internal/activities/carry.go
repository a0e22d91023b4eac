package activities

import (
	"slices"

	"github.com/google/uuid"

	"crm/internal/record"
)

// carried tells the kernel what activities are about, so that they follow a record
// that is merged and let go of one that is deleted for good.
func carried() *record.Links {
	return &record.Links{Field: "related", Find: activitiesAbout, Of: about, Move: moveLinks}
}

func about(r *record.Record) []record.Link {
	var out []record.Link
	for _, l := range Links(r.Get("related")) {
		out = append(out, record.Link{Object: l.Object, ID: l.ID})
	}
	return out
}

// moveLinks keeps the order of the list; two links to what became one record
// become one.
func moveLinks(r *record.Record, object string, from map[uuid.UUID]bool, to *uuid.UUID) {
	var out []Link
	for _, l := range Links(r.Get("related")) {
		if l.Object == object && from[l.ID] {
			if to == nil {
				continue
			}
			l.ID = *to
		}
		if !slices.Contains(out, l) {
			out = append(out, l)
		}
	}
	r.Set("related", storedLinks(out))
}
