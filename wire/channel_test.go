package wire

import (
	"regexp"
	"strings"
	"testing"
)

func TestCheckChannel(t *testing.T) {
	long := strings.Repeat("a", MaxToken)
	for _, tt := range []struct {
		name          string
		channel       string
		want, pattern bool // accepted as a channel, as a pattern
	}{
		{"one token", "news", true, true},
		{"two tokens", "chat.room1", true, true},
		{"an inbox", "@ann", true, true},
		{"all characters", "Az09_-:@=", true, true},
		{"the longest", strings.Repeat(long+".", MaxTokens-1) + long, true, true},
		{"empty", "", false, false},
		{"only a dot", ".", false, false},
		{"empty first token", ".a", false, false},
		{"empty last token", "a.", false, false},
		{"empty token inside", "a..b", false, false},
		{"17 tokens", strings.Repeat("a.", MaxTokens) + "a", false, false},
		{"token of 65", long + "a", false, false},
		{"longer than the longest", strings.Repeat(long+".", MaxTokens-1) + long + "a", false, false},
		{"a space", "a b", false, false},
		{"a comma", "a,b", false, false},
		{"a slash", "a/b", false, false},
		{"a line end", "a\n", false, false},
		{"not ASCII", "ä", false, false},
		{"NUL", "a\x00", false, false},
		{"one star", "*", false, true},
		{"star inside", "a.*.b", false, true},
		{"star at the end", "a.*", false, true},
		{"several stars", "*.*", false, true},
		{"the rest", "a.>", false, true},
		{"everything", ">", false, true},
		{"star and rest", "*.>", false, true},
		{"16 tokens with the rest", strings.Repeat("a.", MaxTokens-1) + ">", false, true},
		{"17 tokens with the rest", strings.Repeat("a.", MaxTokens) + ">", false, false},
		{"rest before the end", "a.>.b", false, false},
		{"star in a token", "a*", false, false},
		{"rest in a token", "a>", false, false},
		{"two stars", "**", false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, c := range []struct {
				err  error
				want bool
				as   string
			}{{CheckChannel(tt.channel), tt.want, "channel"}, {CheckPattern(tt.channel), tt.pattern, "pattern"}} {
				if (c.err == nil) != c.want {
					t.Errorf("%q as a %s: %v, want ok %t", tt.channel, c.as, c.err, c.want)
				}
				if c.err != nil && CodeOf(c.err) != CodeBadChannel {
					t.Errorf("%q as a %s: code %s, want %s", tt.channel, c.as, CodeOf(c.err), CodeBadChannel)
				}
			}
			if tt.pattern && IsPattern(tt.channel) != !tt.want {
				t.Errorf("IsPattern(%q) = %t, want %t", tt.channel, !tt.want, tt.want)
			}
		})
	}
}

// What is wrong is shown as it was written.
func TestCheckChannelQuotesCharacters(t *testing.T) {
	for channel, want := range map[string]string{"jalapeño": `has "ñ"`, "a b": `has " "`, "a\xff": `has "\xff"`} {
		if err := CheckChannel(channel); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v does not say %s", channel, err, want)
		}
	}
}

func TestCheckChannelAllocatesNothing(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() {
		if err := CheckChannel("chat.room1.messages"); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations for a good name, want 0", n)
	}
}

// The grammar once more, in another notation.
var (
	channelGrammar = regexp.MustCompile(`^[A-Za-z0-9_:@=-]{1,64}(\.[A-Za-z0-9_:@=-]{1,64}){0,15}$`)
	patternGrammar = regexp.MustCompile(`^(([A-Za-z0-9_:@=-]{1,64}|\*)(\.([A-Za-z0-9_:@=-]{1,64}|\*)){0,15}|(([A-Za-z0-9_:@=-]{1,64}|\*)\.){0,15}>)$`)
)

func FuzzCheckChannel(f *testing.F) {
	for _, s := range []string{"", "news", "chat.room1", "a..b", "a.*.b", "a.>", ">.a", "@ann=20", "ä", "a\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got, want := CheckChannel(s) == nil, channelGrammar.MatchString(s); got != want {
			t.Errorf("CheckChannel(%q) ok %t, want %t", s, got, want)
		}
		if got, want := CheckPattern(s) == nil, patternGrammar.MatchString(s); got != want {
			t.Errorf("CheckPattern(%q) ok %t, want %t", s, got, want)
		}
		if err := CheckChannel(s); err != nil && len(err.Error()) > 1024 {
			t.Errorf("an error of %d bytes for a name of %d", len(err.Error()), len(s))
		}
	})
}

func TestMatches(t *testing.T) {
	for _, tt := range []struct {
		pattern, channel string
		want             bool
	}{
		{"a", "a", true}, {"a", "b", false}, {"a", "a.b", false}, {"a.b", "a", false},
		{"*", "a", true}, {"*", "a.b", false}, {"*.*", "a.b", true}, {"*.*", "a", false}, {"*.b", "a.b", true}, {"*.b", "a.c", false},
		{"a.*.c", "a.b.c", true}, {"a.*.c", "a.b.d", false}, {"a.*.c", "a.b.c.d", false},
		{">", "a", true}, {">", "a.b.c", true}, {"a.>", "a", false}, {"a.>", "a.b", true}, {"a.>", "a.b.c", true}, {"a.>", "ab.c", false},
		{"*.b.>", "a.b.c", true}, {"*.b.>", "a.b", false},
	} {
		if got := Matches(tt.pattern, tt.channel); got != tt.want {
			t.Errorf("%s matches %s: %t", tt.pattern, tt.channel, got)
		}
	}
}

func TestOverlap(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want bool
	}{
		{"a", "a", true}, {"a", "b", false}, {"a", "a.b", false}, {"a.*", "a.b", true}, {"a.*", "*.b", true}, {"a.*", "b.*", false}, {"a.*", "*", false},
		{">", "a.b.c", true}, {">", "*.c", true}, {"a.>", "a", false}, {"a.>", "*.b.c", true}, {"a.>", "b.>", false}, {"a.>", "a.b.>", true}, {"*.x", "a.>", true},
	} {
		if got := [2]bool{Overlap(tt.a, tt.b), Overlap(tt.b, tt.a)}; got != [2]bool{tt.want, tt.want} {
			t.Errorf("%s and %s overlap: %t", tt.a, tt.b, got)
		}
	}
}
