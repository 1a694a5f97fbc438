package park

import (
	"testing"
	"testing/synctest"
	"time"
)

// A drip is a client that is refused and goes on sending, a byte now and then.
type drip struct{ read, written int }

func (d *drip) Read([]byte) (int, error) {
	time.Sleep(fullWait / 10)
	d.read++
	return 1, nil
}

func (d *drip) Write(p []byte) (int, error) { d.written += len(p); return len(p), nil }
func (*drip) SetDeadline(time.Time) error   { return nil } // as an fdConn has it
func (*drip) CloseWrite() error             { return nil }
func (*drip) Close() error                  { return nil }

// While a connection is refused nobody else is accepted, so its client does not
// say how long that takes.
func TestRefusingEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &drip{}
		began := time.Now()
		refuse(d, fullHTTP)
		if took := time.Since(began); took > 2*fullWait {
			t.Errorf("refusing took %v, want about %v", took, fullWait)
		}
		if d.read == 0 || d.written != len(fullHTTP) {
			t.Errorf("%d reads, %d bytes written; want both", d.read, d.written)
		}
	})
}
