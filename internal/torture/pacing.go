package torture

import "sync"

// Where not all is kept, publishers wait for who writes down what is: nothing is dropped before it was written down, however slow
// the machine is.

// A pacing counts what was begun and not looked for yet, by channel.
type pacing struct {
	mu sync.Mutex
	// Guarded by mu.
	begun, written map[string]int
	all            int // that was written down
}

func newPacing() *pacing { return &pacing{begun: map[string]int{}, written: map[string]int{}} }

// begin counts a publication, or another try.
func (p *pacing) begin(channel string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.begun[channel]++
}

// look returns what is to be called when all that is kept of a channel now is written down.
func (p *pacing) look(channel string) (written func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.begun[channel]
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.written[channel] = n
	}
}

// ahead returns how much was begun since a channel was looked at.
func (p *pacing) ahead(channel string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.begun[channel] - p.written[channel]
}

// keep counts what was written down; kept returns how much that was.
func (p *pacing) keep(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all += n
}

func (p *pacing) kept() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.all
}
