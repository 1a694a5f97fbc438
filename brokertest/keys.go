package brokertest

import (
	"fmt"
	"sync"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/wire"
)

func keyed(channel, key, data string) *longwire.Publication {
	return &longwire.Publication{Channel: channel, Key: key, Kind: longwire.Text, Data: []byte(data)}
}

// first complains if publishing again does not give the first publication.
func (s *suite) first(again *longwire.Publication, first *longwire.Publication) {
	s.Helper()
	o := s.try(again)
	if o.err != nil {
		s.Errorf("publishing again with a key: %v", o.err)
		return
	}
	s.same("a publication with a key used before", o.p, first)
}

// refused complains if other data is published with a key.
func (s *suite) refused(p *longwire.Publication) {
	s.Helper()
	if o := s.try(p); wire.CodeOf(o.err) != wire.CodeKeyReused {
		s.Errorf("other data with a key used before: %+v, %v, want %s", o.p, o.err, wire.CodeKeyReused)
	}
}

// keysOnce: what is published twice with a key is there once.
func (s *suite) keysOnce() {
	s.open(longwire.Class{})
	a := s.publish(keyed("a", "k", "x"))
	s.put("a", "b")
	s.first(keyed("a", "k", "x"), a)
	s.refused(keyed("a", "k", "y"))
	s.refused(keyed("a", "k", ""))

	// The same key is another one on another channel, and so is another key.
	b := s.publish(keyed("b", "k", "y"))
	s.first(keyed("b", "k", "y"), b)
	other := s.publish(keyed("a", "K", "x"))
	s.first(keyed("a", "k", "x"), a)
	// No key is none.
	none := []*longwire.Publication{s.publish(keyed("a", "", "x")), s.publish(keyed("a", "", "x"))}
	// It may be any text.
	odd := keyed("a", "a key of 128 bytes: é\"\\ *>./:"+fmt.Sprintf("%096d", 7), "\x00\n")
	odd.Headers, odd.From = map[string]string{"h": "v"}, "me"
	kept := s.publish(odd)
	s.first(&longwire.Publication{Channel: "a", Key: odd.Key, Kind: longwire.Text, Data: []byte("\x00\n"), Headers: map[string]string{"h": "v"}, From: "me"}, kept)

	got := s.all("a")
	if len(got) != 6 {
		s.Errorf("a has numbers %v, want 6 of them", numbers(got))
		return
	}
	for i, want := range append([]*longwire.Publication{a, got[1], other}, append(none, kept)...) {
		s.same("what is read", got[i], want)
	}
}

// keysAtOnce: the same at the same time.
func (s *suite) keysAtOnce() {
	s.open(longwire.Class{})
	const keys, each = 20, 8
	ear := s.follow(nil)
	got := make([][]outcome, keys)
	var mu sync.Mutex
	var wg sync.WaitGroup
	for j := range each {
		wg.Go(func() {
			for i := range keys {
				// Of half of the keys, some publish other data.
				data := "x"
				if i%2 == 1 && j >= each/2 {
					data = "y"
				}
				heard := make(chan outcome, 1)
				s.b.Publish(keyed("c", fmt.Sprint("key", i), data), func(p *longwire.Publication, err error) { heard <- outcome{p, err} })
				select {
				case o := <-heard:
					mu.Lock()
					got[i] = append(got[i], o)
					mu.Unlock()
				case <-time.After(patience):
					s.Errorf("key %d: done is not called", i)
				}
			}
		})
	}
	wg.Wait()
	for i, list := range got {
		var first *longwire.Publication
		reused := 0
		for _, o := range list {
			switch {
			case wire.CodeOf(o.err) == wire.CodeKeyReused && i%2 == 1:
				reused++
			case o.err != nil:
				s.Errorf("key %d: %v", i, o.err)
			case first == nil:
				first = o.p
			default:
				s.same(fmt.Sprint("key ", i), o.p, first)
			}
		}
		if want := i % 2 * each / 2; reused != want {
			s.Errorf("key %d: %d were refused, want %d", i, reused, want)
		}
	}
	ear.hears(keys)
	ear.stop()
	if n := len(s.all("c")); n != keys {
		s.Errorf("%d were published with %d keys", n, keys)
	}
}

// keyWindow: a key is remembered for its window and then not any more.
func (s *suite) keyWindow() {
	s.openAs(Options{Classes: []longwire.Class{{Name: "default"}}, KeyWindow: s.Age})
	begun := time.Now()
	first := s.publish(keyed("a", "k", "x"))
	s.await("end of the window of a key", func() bool {
		p := s.publish(keyed("a", "k", "x"))
		if took := time.Since(begun); p.Number != first.Number && took < s.Age {
			s.Errorf("a key is forgotten after %v, want %v", took, s.Age)
		}
		return p.Number != first.Number
	})
	if n := len(s.all("a")); n != 2 {
		s.Errorf("%d were published, want 2", n)
	}
}
