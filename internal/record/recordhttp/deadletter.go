package recordhttp

import (
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/platform/rest"
	"crm/internal/record"
)

func (a *API) deadLetterRoutes() []rest.Route {
	letter := rest.Obj(map[string]rest.Schema{
		"subscriber": rest.Str, "seq": rest.Int, "error": rest.Str, "at": rest.Time, "object": rest.Str, "record_id": rest.UUID, "action": rest.Str,
	}, "subscriber", "seq", "error", "at")
	route := func(method, path, name, summary string, h rest.Handler) rest.Route {
		return rest.Route{Method: method, Path: "/dead_letters" + path, Name: "dead_letters." + name, Summary: summary, Tag: "journal", Object: "journal", Action: auth.Execute, Handle: h}
	}
	list := route("GET", "", "list", "Journal rows that readers gave up on, oldest first", a.deadLetters)
	list.Params = []rest.Param{{Name: "after", Description: "Sequence number to start after.", Schema: rest.Int}, {Name: "limit", Description: "1 to 200.", Schema: rest.Int}}
	list.Answer = rest.Obj(map[string]rest.Schema{"data": rest.Array(letter), "next_after": rest.Int}, "data", "next_after")
	one := route("POST", "/{subscriber}/{seq}/replay", "replay", "Give a row to its reader again", a.replay)
	one.Status = http.StatusNoContent
	all := route("POST", "/replay", "replay_all", "Give all rows (up to 500) to their readers again", a.replayAll)
	all.Answer = rest.Obj(map[string]rest.Schema{"replayed": rest.Int, "failed": rest.Int}, "replayed", "failed")
	return []rest.Route{list, one, all}
}

// deadLetter is one as the API shows it.
type deadLetter struct {
	Subscriber string    `json:"subscriber"`
	Seq        int64     `json:"seq"`
	Error      string    `json:"error"`
	At         time.Time `json:"at"`
	Object     string    `json:"object"`
	RecordID   uuid.UUID `json:"record_id"`
	Action     string    `json:"action"`
}

func (a *API) deadLetters(w http.ResponseWriter, r *http.Request) error {
	after, err := intParam(r, "after", 0, 0, 1<<62)
	if err != nil {
		return err
	}
	limit, err := intParam(r, "limit", record.DefaultLimit, 1, record.MaxLimit)
	if err != nil {
		return err
	}
	letters, err := a.k.DeadLetters(r.Context(), after, int(limit))
	if err != nil {
		return err
	}
	out := make([]deadLetter, len(letters))
	for i, l := range letters {
		out[i], after = deadLetter(l), l.Seq
	}
	return rest.JSON(w, 200, map[string]any{"data": out, "next_after": after})
}

func (a *API) replay(w http.ResponseWriter, r *http.Request) error {
	seq, err := strconv.ParseInt(rest.PathParam(r, "seq"), 10, 64)
	if err != nil {
		return errs.Missing("dead letter")
	}
	if err := a.k.Replay(r.Context(), rest.PathParam(r, "subscriber"), seq); err != nil {
		return err
	}
	return rest.NoContent(w)
}

func (a *API) replayAll(w http.ResponseWriter, r *http.Request) error {
	done, err := a.k.ReplayAll(r.Context())
	if err != nil {
		return err
	}
	return rest.JSON(w, 200, done)
}
