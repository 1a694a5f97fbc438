package jetstream

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/wire"
)

// patience is how long what must come may take, on a machine that has much else to do.
const patience = 20 * time.Second

func open(t testing.TB, o *Options) *Broker {
	t.Helper()
	if o.Dir == "" && o.URL == "" {
		o.Dir = t.TempDir()
	}
	b, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := b.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return b
}

// publish publishes and waits.
func publish(t testing.TB, b *Broker, p *longwire.Publication) (*longwire.Publication, error) {
	t.Helper()
	var q *longwire.Publication
	var err error
	done := make(chan struct{})
	b.Publish(p, func(r *longwire.Publication, e error) {
		q, err = r, e
		close(done)
	})
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatal("nothing was heard of a publication")
	}
	return q, err
}

func read(t testing.TB, b *Broker, r *longwire.Range) (s string) {
	t.Helper()
	for p, err := range b.Read(t.Context(), r) {
		if g, ok := errors.AsType[*longwire.GapError](err); ok {
			s += fmt.Sprintf("gap(%s,%d) ", g.Channel, g.After)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		s += fmt.Sprintf("%d:%s=%s ", p.Number, p.Channel, p.Data)
	}
	return s
}

func TestPublishAndRead(t *testing.T) {
	b := open(t, &Options{})
	for i := range 5 {
		q, err := publish(t, b, &longwire.Publication{Channel: []string{"a", "b.c"}[i%2], Kind: longwire.Text, Data: fmt.Append(nil, i), From: "me"})
		if err != nil || q.Number != uint64(i+1) {
			t.Fatalf("%+v %v", q, err)
		}
	}
	if got := read(t, b, &longwire.Range{Channels: []string{"a"}}); got != "1:a=0 3:a=2 5:a=4 " {
		t.Error(got)
	}
	if got := read(t, b, &longwire.Range{Channels: []string{"a", ">"}, Last: 1}); got != "4:b.c=3 5:a=4 " {
		t.Error(got)
	}
	if _, err := publish(t, b, &longwire.Publication{Channel: "a", Key: "k", Data: []byte("x")}); err != nil {
		t.Error(err)
	}
	if q, err := publish(t, b, &longwire.Publication{Channel: "a", Key: "k", Data: []byte("x")}); err != nil || q.Number != 6 {
		t.Error(q, err)
	}
	if _, err := publish(t, b, &longwire.Publication{Channel: "a", Key: "k", Data: []byte("y")}); wire.CodeOf(err) != wire.CodeKeyReused {
		t.Error(err)
	}
}
