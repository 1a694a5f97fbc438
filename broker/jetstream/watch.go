package jetstream

import "time"

// The watcher looks every second at what does not announce itself: how much room the disk has, and what
// the streams drop for want of room. A full disk is refused early, because a store that could not write
// takes nothing any more until it is started again; then it does that, once there is room. Close
// waits for it.
func (b *Broker) watch() {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		b.watchSpace()
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
	leastFree  = 64 << 20 // bytes
	leastShare = 50       // a 50th of the disk, if that is less
)

// watchSpace refuses publications while there is no room.
func (b *Broker) watchSpace() {
	free, size, err := space(b.opts.Dir)
	if err != nil {
		return
	}
	tight := free < max(min(leastFree, size/leastShare), leastFree/8)
	if tight != b.full.Swap(tight) {
		if tight {
			b.log.Error("jetstream: the disk is nearly full; nothing is published until there is room", "free", free, "dir", b.opts.Dir)
		} else {
			b.log.Info("jetstream: there is room on the disk again")
		}
	}
	if !tight && b.broken.Swap(false) {
		b.log.Warn("jetstream: the store is started again, because it could not write")
		if err := b.embedded.restart(); err != nil {
			b.log.Error("jetstream: the store does not start", "err", err)
			b.broken.Store(true)
		}
	}
}
