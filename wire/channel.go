package wire

import (
	"strings"
	"unicode/utf8"
)

// CheckChannel returns nil if name is a channel name: 1 to [MaxTokens] tokens joined by dots, each 1 to
// [MaxToken] of A-Z a-z 0-9 _ - : @ =. Otherwise it returns an [Error] with [CodeBadChannel] that says what
// is wrong.
func CheckChannel(name string) error { return check(name, false) }

// CheckPattern returns nil if p may be subscribed to: a channel name, or one with wildcards in place of whole
// tokens, * for exactly one token and > for one or more at the end. Otherwise it returns an [Error] with
// [CodeBadChannel].
func CheckPattern(p string) error { return check(p, true) }

// IsPattern reports whether a checked name has wildcards. Neither of them can occur in a channel name.
func IsPattern(name string) bool { return strings.ContainsAny(name, "*>") }

// Matches reports whether a checked channel matches a checked name or pattern: * is one token, > one or more at
// the end.
func Matches(pattern, channel string) bool {
	for {
		p, patterns, more := strings.Cut(pattern, ".")
		if p == ">" {
			return true
		}
		c, channels, further := strings.Cut(channel, ".")
		if p != "*" && p != c {
			return false
		}
		if !more || !further {
			return more == further
		}
		pattern, channel = patterns, channels
	}
}

// Overlap reports whether there is a channel that matches both of two checked names or patterns.
func Overlap(a, b string) bool {
	for {
		p, as, moreA := strings.Cut(a, ".")
		q, bs, moreB := strings.Cut(b, ".")
		if p == ">" || q == ">" {
			return true
		}
		if p != q && p != "*" && q != "*" {
			return false
		}
		if !moreA || !moreB {
			return moreA == moreB
		}
		a, b = as, bs
	}
}

func check(name string, wildcards bool) error {
	// Too long a name is refused before it is walked, and is not quoted.
	if len(name) > MaxChannel {
		return Errorf(CodeBadChannel, "a channel name has at most %d bytes, this one has %d", MaxChannel, len(name))
	}
	n, more := 0, true
	for rest := name; more; n++ {
		if n == MaxTokens {
			return Errorf(CodeBadChannel, "channel %.80q has more than %d tokens", name, MaxTokens)
		}
		var token string
		token, rest, more = strings.Cut(rest, ".")
		if wildcards && (token == "*" || token == ">" && !more) {
			continue
		}
		if err := checkToken(name, token); err != nil {
			return err
		}
	}
	return nil
}

func checkToken(name, token string) error {
	switch {
	case token == "":
		return Errorf(CodeBadChannel, "channel %.80q has an empty token; put 1 to %d characters between dots", name, MaxToken)
	case len(token) > MaxToken:
		return Errorf(CodeBadChannel, "channel %.80q has a token of %d bytes; %d are the most", name, len(token), MaxToken)
	case token == "*", token == ">" && strings.IndexByte(name, '>') == len(name)-1:
		return Errorf(CodeBadChannel, "%.80q is a pattern; a single channel is needed here", name)
	case token == ">":
		return Errorf(CodeBadChannel, "%.80q has > where it cannot stand; only a pattern has it, as its last token", name)
	}
	for i := range len(token) {
		if !tokenByte(token[i]) {
			_, n := utf8.DecodeRuneInString(token[i:])
			return Errorf(CodeBadChannel, "channel %.80q has %q; a token is made of A-Z a-z 0-9 _ - : @ =", name, token[i:i+n])
		}
	}
	return nil
}

func tokenByte(b byte) bool {
	switch {
	case 'a' <= b && b <= 'z', 'A' <= b && b <= 'Z', '0' <= b && b <= '9':
		return true
	}
	return b == '_' || b == '-' || b == ':' || b == '@' || b == '='
}
