package page

import (
	"sync"

	"github.com/google/uuid"

	"crm/internal/platform/auth"
)

// Notice says that records of one object changed. Object is its name in the
// grants, Topic the word open pages listen to.
type Notice struct {
	Tenant uuid.UUID
	Object string
	Topic  string
	IDs    []uuid.UUID
}

// change is one event of the stream; an empty ID means "many of this topic".
type change struct {
	Topic string `json:"object"`
	ID    string `json:"id"`
}

const (
	// maxPending is how many single changes wait for a slow reader before they
	// become one "many changed".
	maxPending = 200
	// maxStreams is how many streams one actor may hold: tabs share one per browser.
	maxStreams = 24
)

// Live passes notices on to the open pages of a tenant. The zero value is not
// usable; see NewLive.
type Live struct {
	mu      sync.Mutex
	tenants map[uuid.UUID]map[*stream]bool
	closed  chan struct{}
	once    sync.Once
}

// NewLive makes an empty hub.
func NewLive() *Live {
	return &Live{tenants: map[uuid.UUID]map[*stream]bool{}, closed: make(chan struct{})}
}

// Close ends every stream, so that a server can shut down. Browsers come back by
// themselves.
func (l *Live) Close() { l.once.Do(func() { close(l.closed) }) }

// Publish tells the streams of the tenant whose actors may read the object. It
// never blocks: what a slow reader has not fetched yet is merged.
func (l *Live) Publish(n Notice) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for s := range l.tenants[n.Tenant] {
		if s.actor.Grants.Scope(n.Object, auth.Read) != auth.None {
			s.add(n)
		}
	}
}

// Streams is how many pages listen, for metrics.
func (l *Live) Streams() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, set := range l.tenants {
		n += len(set)
	}
	return n
}

// subscribe opens a stream, or returns nil when the actor has too many.
func (l *Live) subscribe(a *auth.Actor) *stream {
	l.mu.Lock()
	defer l.mu.Unlock()
	own := 0
	for s := range l.tenants[a.TenantID] {
		if s.actor.ID == a.ID {
			own++
		}
	}
	if own >= maxStreams {
		return nil
	}
	s := &stream{actor: a, wake: make(chan struct{}, 1), pending: map[change]bool{}}
	if l.tenants[a.TenantID] == nil {
		l.tenants[a.TenantID] = map[*stream]bool{}
	}
	l.tenants[a.TenantID][s] = true
	return s
}

func (l *Live) unsubscribe(s *stream) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.tenants[s.actor.TenantID], s)
	if len(l.tenants[s.actor.TenantID]) == 0 {
		delete(l.tenants, s.actor.TenantID)
	}
}

// stream is one open page's side of the hub.
type stream struct {
	actor *auth.Actor
	wake  chan struct{}

	mu      sync.Mutex
	pending map[change]bool
}

func (s *stream) add(n Notice) {
	s.mu.Lock()
	if len(n.IDs)+len(s.pending) > maxPending {
		for c := range s.pending {
			if c.Topic == n.Topic {
				delete(s.pending, c)
			}
		}
		s.pending[change{Topic: n.Topic}] = true
	} else {
		for _, id := range n.IDs {
			s.pending[change{Topic: n.Topic, ID: id.String()}] = true
		}
	}
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *stream) take() []change {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]change, 0, len(s.pending))
	for c := range s.pending {
		out = append(out, c)
	}
	clear(s.pending)
	return out
}
