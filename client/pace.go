package client

import "time"

// A pace keeps the client below the rate from which on the server refuses: a
// little slower than that, and half of a second's frames at once, because the network
// may bring together what was sent apart.
type pace struct {
	rate  float64 // frames per second; zero: no bound
	ready float64 // that may be sent now
	at    time.Time
}

const paceShare = 0.9

func (p *pace) set(rate int) {
	if p.rate = paceShare * float64(rate); p.ready > p.burst() || p.at.IsZero() {
		p.ready = p.burst()
	}
}

func (p *pace) burst() float64 { return max(1, p.rate/2) }

// allow returns how many frames may be sent now, and if there are none, how long
// it is until there is one.
func (p *pace) allow(now time.Time) (n int, wait time.Duration) {
	if p.rate == 0 {
		return maxRequests, 0
	}
	if !p.at.IsZero() {
		p.ready = min(p.burst(), p.ready+p.rate*now.Sub(p.at).Seconds())
	}
	p.at = now
	if p.ready < 1 {
		return 0, time.Duration((1-p.ready)/p.rate*float64(time.Second)) + 1
	}
	return int(p.ready), 0
}

func (p *pace) spend(n int) { p.ready -= float64(n) }
