package cache

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"crm/internal/platform/db"
	"crm/internal/platform/id"
)

const (
	channel = "crm_changed"
	// newsPause follows a failure: the database is away, and everybody knows.
	newsPause = 500 * time.Millisecond
	// lastWords is how long a process that ends may take to tell what it changed.
	lastWords = 2 * time.Second
)

// News carries word of changes between the processes of an installation, through
// PostgreSQL's NOTIFY: the one thing all of them have.
//
// It is sent after the commit, not with it: a NOTIFY inside a transaction makes every
// commit of the cluster wait for the one before. What gathers while a send is under
// way goes with the next, so a busy process sends no more often than it can. Word is
// lost only with a process that dies in these milliseconds; times to live bound that.
type News struct {
	db   *db.DB
	log  *slog.Logger
	self string // so that a process does not follow itself
	live atomic.Bool

	mu      sync.Mutex
	waiting map[base]*note
	wake    chan struct{}
	stop    context.CancelFunc
	done    chan struct{}
}

// note is the word of one change. No changed means the whole group; told says whether
// Redis knows already.
type note struct {
	base    base
	changed []Floor
	told    bool
}

func newNews(d *db.DB, log *slog.Logger) *News {
	ctx, stop := context.WithCancel(context.Background())
	n := &News{db: d, log: log, self: id.New().String(), waiting: map[base]*note{}, wake: make(chan struct{}, 1), stop: stop, done: make(chan struct{})}
	go n.send(ctx)
	return n
}

func (n *News) hears() bool { return n != nil && n.live.Load() }

// tell queues a change and returns at once.
func (n *News) tell(b base, changed []Floor, told bool) {
	if n == nil {
		return
	}
	n.queue(&note{base: b, changed: changed, told: told})
	select {
	case n.wake <- struct{}{}:
	default: // it is awake
	}
}

// queue joins what is said of the same group.
func (n *News) queue(word *note) {
	n.mu.Lock()
	defer n.mu.Unlock()
	w := n.waiting[word.base]
	if w == nil {
		n.waiting[word.base] = &note{base: word.base, changed: word.changed, told: word.told}
		return
	}
	w.told = w.told && word.told
	if len(w.changed) == 0 || len(word.changed) == 0 || len(w.changed)+len(word.changed) > mostFloors {
		w.changed = nil
		return
	}
	w.changed = append(w.changed[:len(w.changed):len(w.changed)], word.changed...)
}

func (n *News) take() map[base]*note {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := n.waiting
	n.waiting = map[base]*note{}
	return out
}

func (n *News) send(ctx context.Context) {
	defer close(n.done)
	for {
		select {
		case <-ctx.Done():
			return
		case <-n.wake:
		}
		for !n.flush(ctx) {
			select {
			case <-ctx.Done():
				return
			case <-time.After(newsPause):
			}
		}
	}
}

// flush sends what waits; what could not be sent waits again.
func (n *News) flush(ctx context.Context) bool {
	words := n.take()
	if len(words) == 0 {
		return true
	}
	payloads := make([]string, 0, len(words))
	for _, w := range words {
		payloads = append(payloads, n.write(w))
	}
	err := n.db.Notify(ctx, channel, payloads)
	if err == nil {
		return true
	}
	for _, w := range words {
		n.queue(w)
	}
	if ctx.Err() == nil {
		n.log.WarnContext(ctx, "tell other processes what changed", "error", err)
	}
	return false
}

// close says what is left to say. A closed News takes no more.
func (n *News) close(ctx context.Context) {
	if n == nil {
		return
	}
	n.stop()
	<-n.done
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
	defer cancel()
	n.flush(last)
}

// listen hands the words of other processes to heard until ctx ends. missed is called
// whenever something could have been missed, before this process trusts itself again.
func (n *News) listen(ctx context.Context, missed func(), heard func(note)) error {
	for ctx.Err() == nil {
		err := n.db.Listen(ctx, channel, func() { missed(); n.live.Store(true) }, func(payload string) {
			if word, ok := n.read(payload); ok {
				heard(word)
			}
		})
		n.live.Store(false)
		if ctx.Err() != nil {
			break
		}
		n.log.WarnContext(ctx, "records are not cached until changes of other processes are heard again", "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(newsPause):
		}
	}
	return nil
}

// write is the line of a note: sender, cache, tenant, group, told, ids or *. With 200
// ids it stays below the 8,000 bytes that PostgreSQL takes.
func (n *News) write(w *note) string {
	var b strings.Builder
	told := "1"
	if !w.told {
		told = "0"
	}
	for _, part := range []string{n.self, w.base.cache, w.base.tenant.String(), w.base.group, told} {
		b.WriteString(part)
		b.WriteByte(' ')
	}
	if len(w.changed) == 0 {
		b.WriteByte('*')
	}
	for i, f := range w.changed {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(f.ID.String())
	}
	return b.String()
}

// read is the reverse; false for our own word and for what we do not understand.
func (n *News) read(line string) (note, bool) {
	parts := strings.Split(line, " ")
	if len(parts) != 6 || parts[0] == n.self {
		return note{}, false
	}
	tenant, err := uuid.Parse(parts[2])
	if err != nil {
		return note{}, false
	}
	w := note{base: base{parts[1], tenant, parts[3]}, told: parts[4] == "1"}
	if parts[5] == "*" {
		return w, true
	}
	for _, s := range strings.Split(parts[5], ",") {
		u, err := uuid.Parse(s)
		if err != nil {
			return note{base: w.base, told: w.told}, true // the whole group is never wrong
		}
		w.changed = append(w.changed, Floor{ID: u})
	}
	return w, true
}
