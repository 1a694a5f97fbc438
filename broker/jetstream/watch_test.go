package jetstream

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/wire"
)

// sick returns what is wrong with the store.
func (b *Broker) sick() error {
	err := b.embedded.down()
	for _, p := range b.parts {
		if err == nil && p.onDisk() {
			err = b.wrote(p)
		}
	}
	return err
}

// TestFalseAlarm: a store that has had an error is to be started again only if somebody waits in vain.
func TestFalseAlarm(t *testing.T) {
	failed := errors.New("the error that was")
	p := &part{class: longwire.Class{Count: 1}}
	b := &Broker{
		opts: Options{wrote: func(string) error { return failed }}, embedded: open(t, &Options{Log: quiet}).embedded,
		parts: []*part{p}, toTell: make(chan struct{}, 1),
	}
	send := func() (count uint64) {
		p.put(&item{p: &longwire.Publication{}})
		list, _, _ := p.unsent(nil, 1)
		return list[0].count
	}
	for i := range uint64(3) {
		count := send()
		if err := b.refusing(); err != nil {
			t.Errorf("at once: %v", err)
		}
		p.acknowledge(count, i+1, 7)
		if err := b.refusing(); err != nil {
			t.Errorf("after its acknowledgement: %v", err)
		}
	}
	send()
	if err := b.refusing(); err != nil {
		t.Errorf("at once: %v", err)
	}
	if err := b.refusing(); err != failed {
		t.Errorf("when somebody waits: %v", err)
	}
	b.opts.wrote = func(string) error { return nil }
	if err := b.refusing(); err != nil {
		t.Errorf("when somebody waits, and no error is known: %v", err)
	}
	b.embedded = &embedded{}
	if err := b.refusing(); err == nil {
		t.Error("a server that is not there writes")
	}
}

// TestHealthThatPasses: what the server's health says of streams that are not there yet is not that it cannot write.
func TestHealthThatPasses(t *testing.T) {
	b := open(t, &Options{Log: quiet})
	if err := os.MkdirAll(filepath.Join(b.opts.Dir, storeName, "$G", "streams", "LW-half-0"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, stream := range []string{"LW-default-0", "LW-half-0", "LW-none-0"} {
		if err := b.embedded.wrote(stream); err != nil {
			t.Errorf("%s: %v", stream, err)
		}
	}
}

// TestPassedOver: a publication that the store has said nothing of, and only that, is given up once later ones were
// acknowledged; if none were, the store is stuck.
func TestPassedOver(t *testing.T) {
	p := &part{}
	item := func() *item {
		it := &item{p: &longwire.Publication{}, done: func(*longwire.Publication, error) {}}
		p.put(it)
		p.unsent(nil, 10)
		return it
	}
	first, key := item(), item()
	key.heard = true
	if p.stuck() {
		t.Error("what was just sent is stuck")
	}
	if !p.stuck() {
		t.Error("what waits is not stuck")
	}
	last := item()
	p.acknowledge(2, 1, 7)
	if later := item(); p.stuck() || later.settled || key.settled || last.err != nil || wire.CodeOf(first.err) != wire.CodeOutcomeUnknown {
		t.Errorf("after a later one was acknowledged: %v", first.err)
	}
	if got := p.takeSettled(nil); len(got) != 1 || got[0] != first {
		t.Errorf("%d outcomes are told", len(got))
	}
}
