package longwire

import "time"

// Sweeping: what is too old goes, a little with each publication and before each
// read, and all of it by a timer. There is one timer for everything, and none while
// nothing is kept. It leaves at least memSweepGrain between two sweeps: what is too
// old is not read even if it is still there.
const memSweepGrain = time.Second

// memHold bounds what is done at once with the lock held, beside what a single
// publication needs: some 50 µs.
const memHold = 512

// arm sets the timer, if there is anything to wait for. With mu held.
func (m *memory) arm() {
	if m.armed {
		return
	}
	next, ok := m.log.next()
	if k, is := m.keys.next(); is && (!ok || k < next) {
		next, ok = k, true
	}
	if !ok {
		return
	}
	m.armed = true
	d := max(next-m.now(), memSweepGrain)
	if m.timer == nil {
		m.timer = time.AfterFunc(d, m.sweep)
	} else {
		m.timer.Reset(d)
	}
}

// sweep is called by the timer.
func (m *memory) sweep() {
	for clean := false; !clean; {
		m.mu.Lock()
		if m.isClosed() {
			m.mu.Unlock()
			return
		}
		at := m.now()
		clean = m.log.sweep(at, memHold) && m.keys.sweep(at, memHold)
		if clean {
			m.armed = false
			m.arm()
		}
		m.mu.Unlock()
	}
}
