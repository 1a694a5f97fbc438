package longwire

import (
	"strings"
	"testing"
)

func TestMatch(t *testing.T) {
	for _, tt := range []struct {
		name, subscribed, channel string
		want                      bool
	}{
		{"a name", "news", "news", true},
		{"another name", "news", "newt", false},
		{"the beginning of a name", "chat.room", "chat.room1", false},
		{"fewer tokens", "chat", "chat.room1", false},
		{"more tokens", "chat.room1", "chat", false},
		{"star alone", "*", "news", true},
		{"star is one token", "*", "chat.room1", false},
		{"star last", "chat.*", "chat.room1", true},
		{"star last, after another token", "chat.*", "char.room1", false},
		{"star last, nothing there", "chat.*", "chat", false},
		{"star last, two there", "chat.*", "chat.room1.typing", false},
		{"star first", "*.room1", "chat.room1", true},
		{"star first, another token", "*.room1", "chat.room2", false},
		{"star between", "chat.*.typing", "chat.room1.typing", true},
		{"star between, another end", "chat.*.typing", "chat.room1.typed", false},
		{"stars", "*.*.*", "a.b.c", true},
		{"stars, fewer tokens", "*.*.*", "a.b", false},
		{"tail alone", ">", "news", true},
		{"tail alone, tokens", ">", "a.b.c.d", true},
		{"tail", "chat.>", "chat.room1", true},
		{"tail, tokens", "chat.>", "chat.room1.typing.now", true},
		{"tail, nothing there", "chat.>", "chat", false},
		{"tail, another token", "chat.>", "char.room1", false},
		{"tail after star", "*.room1.>", "chat.room1.typing", true},
		{"tail after star, nothing there", "*.room1.>", "chat.room1", false},
		{"star and tail", "*.>", "chat.room1.typing", true},
		{"star and tail, nothing there", "*.>", "chat", false},
		{"16 tokens", "1.2.3.4.5.6.7.8.9.10.11.12.13.14.15.*", "1.2.3.4.5.6.7.8.9.10.11.12.13.14.15.16", true},
		{"16 tokens, tail", "1.2.3.4.5.6.7.8.9.10.11.12.13.14.15.>", "1.2.3.4.5.6.7.8.9.10.11.12.13.14.15.16", true},
		{"16 stars", strings.Repeat("*.", 15) + "*", strings.Repeat("a.", 15) + "a", true},
		{"an inbox", "@ann", "@ann", true},
		{"inboxes", "*", "@ann", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var x index
			h := new(hub)
			l := x.join(tt.subscribed, h)
			got := x.match(tt.channel, nil)
			if len(got) > 1 || (len(got) == 1) != tt.want || tt.want && got[0] != l {
				t.Errorf("%s matches %s: got %v, want %v", tt.subscribed, tt.channel, got, tt.want)
			}
			if matches(tt.subscribed, tt.channel) != tt.want {
				t.Errorf("the model is wrong about %s and %s", tt.subscribed, tt.channel)
			}
			x.leave(l)
			if got := x.match(tt.channel, nil); len(got) > 0 {
				t.Errorf("after leave: got %v", got)
			}
		})
	}
}

// matches is the model: it says of one name or pattern whether it matches.
func matches(subscribed, channel string) bool {
	s, c := strings.Split(subscribed, "."), strings.Split(channel, ".")
	for i, token := range s {
		switch {
		case token == ">":
			return i < len(c)
		case i >= len(c) || token != "*" && token != c[i]:
			return false
		}
	}
	return len(s) == len(c)
}
