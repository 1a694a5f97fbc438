package torture

import (
	"strings"
	"testing"
)

// Of four one is kept at least.
func TestCheckWhatIsNotKeptForEver(t *testing.T) {
	const four = three + `
			begun 1.4 chat
			acked 1.4 chat D`
	const keptFour = keptThree + `
			kept 1.4 chat`
	const six = four + `
			begun 1.5 chat
			acked 1.5 chat E
			begun 1.6 chat
			acked 1.6 chat F`
	const keptSix = keptFour + `
			kept 1.5 chat
			kept 1.6 chat`
	for _, tt := range []struct{ name, story, want string }{
		{"told", four + `
			s connecting chat behind 1.1
			s gap chat
			s got chat chat 1.4 1` + keptFour, ""},
		{"not told", four + `
			s connecting chat behind 1.1
			s got chat chat 1.4 1` + keptFour, "lost p1/2"},
		{"told too late", four + `
			s connecting chat behind 1.1
			s got chat chat 1.4 1
			s gap chat` + keptFour, "lost p1/2; false gap p0/0"},
		{"told once, lost twice", four + `
			s connecting chat behind 1.1
			s gap chat
			s got chat chat 1.2 1
			s got chat chat 1.4 1` + keptFour, "lost p1/3"},
		{"told, and yet it is all there", four + `
			s connecting chat behind 1.1
			s gap chat
			s got chat chat 1.2 1
			s got chat chat 1.3 1
			s got chat chat 1.4 1` + keptFour, ""},
		{"told while what makes it one is published", `
			begun 1.1 chat
			acked 1.1 chat A
			begun 1.2 chat
			begun 1.3 chat
			s connecting chat behind 1.1
			s gap chat
			s got chat chat 1.3 1
			acked 1.2 chat B
			acked 1.3 chat C
			begun 1.4 chat
			acked 1.4 chat D
			s got chat chat 1.4 1` + keptFour, ""},
		{"told before what makes it one is published", `
			begun 1.1 chat
			acked 1.1 chat A
			begun 1.2 chat
			s connecting chat behind 1.1
			s gap chat
			acked 1.2 chat B
			begun 1.3 chat
			acked 1.3 chat C
			s got chat chat 1.3 1
			begun 1.4 chat
			acked 1.4 chat D
			s got chat chat 1.4 1` + keptFour, "false gap p0/0"},
		{"as many follow as are kept", three + `
			s connecting chat behind 1.2
			s gap chat
			s got chat chat 1.3 1
			begun 1.4 chat
			acked 1.4 chat D
			s got chat chat 1.4 1` + keptFour, "false gap p0/0"},
		{"lost further on, and not told", six + `
			s connecting chat behind 1.1
			s gap chat
			s got chat chat 1.3 1
			s got chat chat 1.4 1
			s got chat chat 1.6 1` + keptSix, "lost p1/5"},
		{"lost further on, and told", six + `
			s connecting chat behind 1.1
			s gap chat
			s got chat chat 1.3 1
			s got chat chat 1.4 1
			s gap chat
			s got chat chat 1.6 1` + keptSix, ""},
		{"in another's place", four + `
			s connecting chat all
			s got chat chat 1.1 1
			s got chat chat 1.2 1
			s got chat chat 1.3 1
			s got chat chat 1.4 1
			t instead chat 10
			t gap chat
			t got chat chat 1.3 1
			t left chat` + keptFour, ""},
		{"in another's place, and not told", four + `
			s connecting chat all
			s got chat chat 1.1 1
			s got chat chat 1.2 1
			s got chat chat 1.3 1
			s got chat chat 1.4 1
			t instead chat 10
			t got chat chat 1.3 1
			t left chat` + keptFour, "lost p1/2"},
		{"in another's place, and told too early", four + `
			s connecting chat all
			s got chat chat 1.1 1
			s got chat chat 1.2 1
			s got chat chat 1.3 1
			s got chat chat 1.4 1
			t instead chat 12
			t gap chat
			t got chat chat 1.4 1
			t left chat` + keptFour, "false gap p0/0"},
		{"nothing can be missing", four + `
			s connecting chat behind 1.4
			s gap chat` + keptFour, "false gap p0/0"},
		{"told, and the last one never came", four + `
			s connecting chat behind 1.1
			s gap chat
			s got chat chat 1.3 1` + keptFour, "lost p1/4"},
		{"told, and what never was dropped", three + `
			s connecting chat behind 1.1
			s gap chat
			s got chat chat 1.4 1
			begun 1.4 chat` + keptFour, "lost p1/2"},
		{"told since now", `
			s connecting chat now
			s connected chat` + four + `
			s gap chat
			s got chat chat 1.3 1
			s got chat chat 1.4 1` + keptFour, ""},
		{"not told since now", `
			s connecting chat now
			s connected chat` + four + `
			s got chat chat 1.3 1
			s got chat chat 1.4 1` + keptFour, "lost p1/1"},
		{"all is what is left", four + `
			s connecting chat all
			s got chat chat 1.3 1
			s got chat chat 1.4 1` + keptFour, ""},
		{"a pattern lacks something of another channel", four + `
			begun 2.1 news
			acked 2.1 news E
			s connecting * behind 2.1
			s gap *
			s got * chat 1.4 1
			kept 2.1 news` + keptFour, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, f := range Check(story(t, tt.story), keeping(1)) {
				got = append(got, f.What+" "+f.ID.String())
			}
			if s := strings.Join(got, "; "); s != tt.want {
				t.Errorf("faults %q, want %q", s, tt.want)
			}
		})
	}
}
