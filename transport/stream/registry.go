package stream

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"iter"
	"sync"
)

// Every link has an id, 128 random bits, by which requests name it. It is no
// secret: it may stand in addresses and logs. What lets a request in is the
// secret, 128 bits too, made of the id and of a random key of the handler, so
// that it costs a link nothing to have one.
type id [16]byte

func (i id) String() string { return base64.RawURLEncoding.EncodeToString(i[:]) }

func parseID(s string) (i id, ok bool) {
	if len(s) != base64.RawURLEncoding.EncodedLen(len(i)) {
		return i, false
	}
	_, err := base64.RawURLEncoding.Strict().Decode(i[:], []byte(s))
	return i, err == nil
}

func (h *Handler) secret(i id) string {
	m := hmac.New(sha256.New, h.key[:])
	m.Write(i[:])
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil)[:16])
}

// proves reports whether s is the secret of i. How long it takes says nothing.
func (h *Handler) proves(i id, s string) bool {
	return subtle.ConstantTimeCompare([]byte(s), []byte(h.secret(i))) == 1
}

// A registry finds links by id. It is cut into shards, each under its lock, so
// that requests on several cores rarely wait for each other.
type registry [16]shard

type shard struct {
	mu sync.Mutex
	m  map[id]*link // guarded by mu
}

func (r *registry) shard(i id) *shard { return &r[i[0]%16] }

func (r *registry) add(l *link) {
	s := r.shard(l.id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.m == nil {
		s.m = make(map[id]*link)
	}
	s.m[l.id] = l
}

func (r *registry) find(i id) *link {
	s := r.shard(i)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.m[i]
}

func (r *registry) remove(i id) {
	s := r.shard(i)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.m, i)
}

// all walks the links that are there when a shard's turn comes.
func (r *registry) all() iter.Seq[*link] {
	return func(yield func(*link) bool) {
		for i := range r {
			for _, l := range r[i].list() {
				if !yield(l) {
					return
				}
			}
		}
	}
}

func (s *shard) list() []*link {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]*link, 0, len(s.m))
	for _, l := range s.m {
		list = append(list, l)
	}
	return list
}
