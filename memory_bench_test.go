package longwire

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"
)

func BenchmarkPublish(b *testing.B) {
	for _, channels := range []int{1, 1000} {
		b.Run(fmt.Sprintf("channels=%d", channels), func(b *testing.B) {
			m := NewMemory(nil)
			heard := 0
			ctx, cancel := context.WithCancel(b.Context())
			began, ended := make(chan struct{}), make(chan struct{})
			go func() {
				defer close(ended)
				m.Follow(ctx, func(f Feed) {
					if f.Publications == nil {
						close(began)
					}
					heard += len(f.Publications)
				})
			}()
			<-began
			names := make([]string, channels)
			for i := range names {
				names[i] = fmt.Sprintf("chat.room%d", i)
			}
			data := make([]byte, 128)
			done := func(*Publication, error) {}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				m.Publish(&Publication{Channel: names[i%channels], Data: data}, done)
				i++
			}
			cancel()
			<-ended
			if heard != i {
				b.Errorf("heard %d of %d", heard, i)
			}
			m.Close(context.Background())
		})
	}
}

// BenchmarkPublishBesideReads publishes while many walk through all that is kept.
func BenchmarkPublishBesideReads(b *testing.B) {
	const reads = 1000
	m := NewMemory(nil)
	defer m.Close(context.Background())
	done := func(*Publication, error) {}
	for i := range 100_000 {
		m.Publish(&Publication{Channel: fmt.Sprintf("chat.room%d", i%10_000), Data: []byte("x")}, done)
	}
	ctx, cancel := context.WithCancel(b.Context())
	var wg sync.WaitGroup
	for range reads {
		wg.Go(func() {
			for ctx.Err() == nil {
				for range m.Read(ctx, &Range{Channels: []string{"nothing.>"}, Last: 1}) {
				}
			}
		})
	}
	var took []time.Duration
	for b.Loop() {
		begun := time.Now()
		m.Publish(&Publication{Channel: "x", Data: []byte("x")}, done)
		took = append(took, time.Since(begun))
		time.Sleep(time.Millisecond)
	}
	cancel()
	wg.Wait()
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "µs-p50")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "µs-p99")
}
