package longwire_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/longwire/longwire"
)

func ExampleNewMemory() {
	ctx := context.Background()
	b := longwire.NewMemory(&longwire.MemoryOptions{Count: 2})
	defer b.Close(ctx)

	var first *longwire.Publication
	for i := range 5 {
		p := &longwire.Publication{Channel: "news", Kind: longwire.Text, Data: fmt.Appendf(nil, "item %d", i)}
		b.Publish(p, func(p *longwire.Publication, err error) {
			if err == nil && first == nil {
				first = p
			}
		})
	}

	// What follows the first? The second is not kept any more.
	r := &longwire.Range{Channels: []string{"news"}, Epoch: first.Epoch, After: first.Number}
	for p, err := range b.Read(ctx, r) {
		if g, ok := errors.AsType[*longwire.GapError](err); ok {
			fmt.Println("a gap in", g.Channel)
			continue
		}
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%s %d: %s\n", p.Channel, p.Number, p.Data)
	}
	// Output:
	// a gap in news
	// news 3: item 2
	// news 4: item 3
	// news 5: item 4
}
