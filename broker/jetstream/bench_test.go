package jetstream

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"

	"github.com/longwire/longwire"
)

// underWay is how many publications wait for their acknowledgements at all times: as many as nats.go
// allows by default.
const underWay = 4000

func BenchmarkPublish(b *testing.B) {
	publishMany(b, open(b, &Options{}), underWay)
}

// BenchmarkSync compares what survives the loss of power but for a second with what survives it: one publication
// after the other, and many at once. It depends on the disk, so it belongs where the data is to be: with TMPDIR.
func BenchmarkSync(b *testing.B) {
	for _, sync := range []struct {
		name  string
		every time.Duration
	}{{"1s", time.Second}, {"always", -1}} {
		for _, n := range []int{1, underWay} {
			b.Run(fmt.Sprintf("%s/under way=%d", sync.name, n), func(b *testing.B) {
				publishMany(b, open(b, &Options{Sync: sync.every}), n)
			})
		}
	}
}

// publishMany publishes with so many under way.
func publishMany(b *testing.B, br *Broker, underWay int) {
	data := make([]byte, 128)
	var wg sync.WaitGroup
	sem := make(chan struct{}, underWay)
	b.ReportAllocs()
	for b.Loop() {
		sem <- struct{}{}
		wg.Add(1)
		br.Publish(&longwire.Publication{Channel: "bench", Data: data}, func(_ *longwire.Publication, err error) {
			if err != nil {
				b.Error(err)
			}
			<-sem
			wg.Done()
		})
	}
	wg.Wait()
}

// BenchmarkPublishBare is the same by nats.go alone, into the same stream.
func BenchmarkPublishBare(b *testing.B) {
	br := open(b, &Options{})
	nc, err := nats.Connect("", nats.InProcessServer(br.embedded))
	if err != nil {
		b.Fatal(err)
	}
	defer nc.Close()
	js, err := natsjs.New(nc, natsjs.WithPublishAsyncMaxPending(underWay))
	if err != nil {
		b.Fatal(err)
	}
	data := make([]byte, 128)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := js.PublishAsync("lw.default.0.bench", data); err != nil {
			b.Fatal(err)
		}
	}
	<-js.PublishAsyncComplete()
}

// BenchmarkRead reads everything of a partition: what a node does when it begins, and when many come back at once.
func BenchmarkRead(b *testing.B) {
	const most = 200_000
	br := open(b, &Options{})
	data := make([]byte, 128)
	var wg sync.WaitGroup
	sem := make(chan struct{}, underWay)
	for i := range most {
		sem <- struct{}{}
		wg.Add(1)
		br.Publish(&longwire.Publication{Channel: fmt.Sprint("c", i%10_000), Data: data}, func(_ *longwire.Publication, err error) {
			if err != nil {
				b.Error(err)
			}
			<-sem
			wg.Done()
		})
	}
	wg.Wait()
	for b.Loop() {
		n := 0
		for _, err := range br.Read(b.Context(), &longwire.Range{Channels: []string{">"}}) {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
		if n != most {
			b.Fatalf("%d of %d", n, most)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/most, "ns/publication")
}
