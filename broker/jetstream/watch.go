package jetstream

import (
	"math"
	"time"
)

// The watcher looks every second at what does not announce itself: how much room the disk has, whether the
// store could write, and what the streams drop for want of room. A full disk is refused early, because a store
// that could not write takes nothing any more, and says nothing to whoever publishes, until it is started again;
// the watcher does that, once there is room. Close waits for it.
func (b *Broker) watch() {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		if b.embedded != nil {
			b.mend(b.lookAtRoom())
		}
		for _, p := range b.parts {
			if p.class.KeepsHistory() && p.class.Bytes > 0 {
				if s, err := b.stateOf(b.ctx, p, ""); err == nil {
					p.noteLoss(s)
				}
			}
		}
		select {
		case <-tick.C:
		case <-b.ctx.Done():
			return
		}
	}
}

const (
	watchEvery = time.Second
	sendLook   = 4 << 20  // bytes after which the sender looks, which may be much sooner
	leastFree  = 64 << 20 // bytes
	leastShare = 50       // a 50th of the disk, if that is less
	mendEvery  = 10 * time.Second
)

// lookAtRoom says how much may be published until it is looked at again, and reports whether there is room
// at all. What is on its way will need some: so no burst is larger than the disk.
func (b *Broker) lookAtRoom() bool {
	free, size, err := b.opts.space(b.opts.Dir)
	if err != nil {
		b.room.Store(math.MaxInt64 / 2) // who cannot know hears it from the store
		return true
	}
	least := max(min(leastFree, size/leastShare), leastFree/8)
	room := int64(min(free, math.MaxInt64/2)) - int64(least)
	tight := room < 0
	for _, p := range b.parts {
		room -= p.waiting()
	}
	b.room.Store(room)
	if tight != b.full.Swap(tight) {
		if tight {
			b.log.Error("jetstream: the disk is nearly full; nothing is published until there is room", "free", free, "needed", least, "dir", b.opts.Dir)
		} else {
			b.log.Info("jetstream: there is room on the disk again", "free", free)
		}
	}
	return !tight
}

// refusing returns what keeps the store from writing, nil if it writes. The server remembers any error that it had while it
// stored a publication, also one of clearing up after which it goes on. So that alone says nothing: somebody must be waiting in vain,
// too. Streams that no class has any more do not matter.
func (b *Broker) refusing() error {
	err := b.embedded.down()
	for _, p := range b.parts {
		if stuck := p.onDisk() && p.stuck(); stuck && err == nil {
			err = b.wrote(p)
		}
	}
	wake(b.toTell) // somebody may have been passed over
	return err
}

// wrote returns the error that the store had when it last could not write a stream, nil if it had none.
func (b *Broker) wrote(p *part) error {
	if b.opts.wrote != nil {
		return b.opts.wrote(p.stream)
	}
	return b.embedded.wrote(p.stream)
}

// mend looks whether the store could write. If it could not, nothing more is sent to it, and it is started
// again if there is room: not on and on, because a disk that is broken does not mend.
func (b *Broker) mend(room bool) {
	if err := b.refusing(); err != nil && !b.broken.Swap(true) {
		b.log.Error("jetstream: the store could not write; nothing is published until it is started again", "err", err)
		b.post(b.giveUp)
	}
	if !room || !b.broken.Load() || time.Since(b.mended) < mendEvery {
		return
	}
	b.log.Warn("jetstream: the store is started again, because it could not write")
	if err := b.restart(); err != nil {
		b.log.Error("jetstream: the store does not start; it is tried again", "err", err)
	}
	b.mended = time.Now()
}
