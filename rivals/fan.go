//go:build linux

package main

import (
	"runtime"
	"slices"
	"sync"
)

// A fan sends each message to every member from one goroutine per core, each over its share of the members. It is the
// broadcast of the rivals that bring none of their own.
type fan[T comparable, M any] struct {
	shards []*shard[T, M]
	send   func(T, M)
}

type shard[T comparable, M any] struct {
	messages chan M // a full one makes the publisher wait

	mu      sync.Mutex
	members []T // guarded by mu, which is held while a message goes round: a member cannot vanish under a write
}

func newFan[T comparable, M any](send func(T, M)) *fan[T, M] {
	f := &fan[T, M]{send: send}
	for range runtime.GOMAXPROCS(0) {
		s := &shard[T, M]{messages: make(chan M, 1024)}
		f.shards = append(f.shards, s)
		go func() { // until the process ends
			for m := range s.messages {
				s.round(m, f.send)
			}
		}()
	}
	return f
}

func (s *shard[T, M]) round(m M, send func(T, M)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.members {
		send(t, m)
	}
}

// publish hands m to every shard.
func (f *fan[T, M]) publish(m M) {
	for _, s := range f.shards {
		s.messages <- m
	}
}

// join adds t to the shard that hash picks; leave takes it away again.
func (f *fan[T, M]) join(hash int, t T) {
	s := f.shards[hash%len(f.shards)]
	s.mu.Lock()
	defer s.mu.Unlock()
	s.members = append(s.members, t)
}

func (f *fan[T, M]) leave(hash int, t T) {
	s := f.shards[hash%len(f.shards)]
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(s.members, t); i >= 0 {
		last := len(s.members) - 1
		s.members[i] = s.members[last]
		s.members = s.members[:last]
	}
}
