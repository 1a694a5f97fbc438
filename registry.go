package longwire

import (
	"iter"
	"sync"
)

// A registry finds sessions by id. It is cut into shards, each under its lock, so
// that loops rarely wait for each other.
type registry [64]shard

type shard struct {
	mu sync.RWMutex
	m  map[token]*Session // guarded by mu
}

func (r *registry) shard(id token) *shard { return &r[id[0]%64] }

func (r *registry) add(s *Session) {
	h := r.shard(s.id)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.m == nil {
		h.m = make(map[token]*Session)
	}
	h.m[s.id] = s
}

func (r *registry) find(id token) *Session {
	h := r.shard(id)
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.m[id]
}

func (r *registry) remove(s *Session) {
	h := r.shard(s.id)
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.m, s.id)
}

// all walks the sessions that are there when a shard's turn comes.
func (r *registry) all() iter.Seq[*Session] {
	return func(yield func(*Session) bool) {
		for i := range r {
			for _, s := range r[i].list() {
				if !yield(s) {
					return
				}
			}
		}
	}
}

func (h *shard) list() []*Session {
	h.mu.RLock()
	defer h.mu.RUnlock()
	list := make([]*Session, 0, len(h.m))
	for _, s := range h.m {
		list = append(list, s)
	}
	return list
}
