package longwire

import (
	"context"
	"fmt"
	"testing"
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
