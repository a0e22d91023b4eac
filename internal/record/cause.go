package record

import (
	"context"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
)

// MaxDepth is how long a chain of reactions may grow before it is taken for a
// loop and refused.
const MaxDepth = 8

// codeLoop marks the refusal of a chain that is too long.
const codeLoop = "loop"

// Because returns a context in which changes are reactions to e: they carry its
// seq as their cause and are one step deeper. A subscriber that handles rows one
// by one wraps each in its own.
func Because(ctx context.Context, e *Entry) context.Context {
	return auth.As(ctx, func(a *auth.Actor) { a.CauseSeq, a.Depth = e.Seq, e.Depth+1 })
}

// reaction is the context of a batch. Its depth is that of the deepest row, so
// that no loop goes unseen; a row that is refused for a deeper neighbour gets its
// own chance when the batch is repeated row by row.
func reaction(ctx context.Context, entries []Entry) context.Context {
	deepest := &entries[0]
	for i := range entries {
		if entries[i].Depth > deepest.Depth {
			deepest = &entries[i]
		}
	}
	if len(entries) == 1 {
		return Because(ctx, deepest)
	}
	return auth.As(ctx, func(a *auth.Actor) { a.Depth = deepest.Depth + 1 })
}

func guardLoop(a *auth.Actor) error {
	if a.Depth <= MaxDepth {
		return nil
	}
	return errs.New(errs.Conflict, codeLoop, "This change would be reaction number %d in a row and was stopped as a loop. Change one of the rules that set each other off.", a.Depth)
}

func isLoop(err error) bool {
	e := errs.As(err)
	return e != nil && e.Code == codeLoop
}
