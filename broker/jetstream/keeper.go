package jetstream

import (
	"context"
	"errors"
)

// A keeper keeps the record of the data: a file beside the server inside, or a stream of a cluster,
// where several nodes change it.
type keeper interface {
	// load returns the record, nil if there is none.
	load(ctx context.Context) (*record, error)
	// store replaces the record that r was made of, and notes r's revision. It returns errChanged if
	// somebody else has replaced that.
	store(ctx context.Context, r *record) error
}

var errChanged = errors.New("jetstream: the record of the data was changed by another node")

// changeTries is how often a change is tried; each time another node's change was taken.
const changeTries = 20

// replace replaces the record.
func (b *Broker) replace(ctx context.Context, change func(r *record) error) error {
	b.writing.Lock()
	defer b.writing.Unlock()
	r := b.record.Load().clone()
	for range changeTries {
		if err := change(r); err != nil {
			return err
		}
		err := b.keeper.store(ctx, r)
		if err == nil {
			b.adopt(r)
			return nil
		}
		if !errors.Is(err, errChanged) {
			return err
		}
		if r, err = b.keeper.load(ctx); err != nil {
			return err
		}
		if r == nil {
			return errNoStream
		}
		if fits, err := r.fits(b.layout); err != nil || !fits {
			return errOutdated
		}
	}
	return errBusy
}

// adopt makes a record that this node has stored the present one.
func (b *Broker) adopt(r *record) {
	if b.cluster == nil || !b.post(func() { b.takeRecord(r, true) }) {
		b.record.Store(r)
	}
}
