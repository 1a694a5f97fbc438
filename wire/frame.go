package wire

import (
	"math/bits"
	"unicode"
	"unicode/utf8"
)

// A Frame is what a client says, as a server reads it (docs/protocol.md, section 3). Its slices lie in the
// bytes that it was parsed from; nil is a member that was not there. A Frame may be used again and again.
//
// Frames are JSON. The binary form (Protocol Buffers, longwire.v1) will be read into a Frame as well, by a
// function beside Parse.
type Frame struct {
	Op Op
	ID uint64 // 1 to MaxID; zero if there was none, or none that is legible

	// Strings, without quotes and escapes.

	Channel []byte
	Since   []byte
	Type    []byte // "json", "text" or a media type; Value reads it
	Data64  []byte // base64, still unchecked; Value reads it
	Key     []byte // at most MaxKey bytes
	Method  []byte // 1 to MaxMethod bytes, printable
	Token   []byte // at most MaxCredential bytes
	Session []byte
	Secret  []byte
	Name    []byte // at most MaxName bytes

	// JSON as it came, checked.

	Data      []byte // any value; Value reads it
	Headers   []byte // an object; HeaderMap reads it
	Subscribe []byte // an array; Subscriptions reads it

	Version int // positive if there was one
	Limit   int // positive if there was one

	op      []byte
	compact bool // Data has no white space between its tokens
}

// Parse reads a frame. All of p is checked: that it is one JSON object in UTF-8, with white space around it at
// most, and that the members which are known have the type and the size that they should have, occur once and
// are those that the op needs. Names are case-sensitive; members that are not known are ignored, repeated or
// not. An error is an [Error] with [CodeBadFrame], [CodeBadUTF8] or [CodeUnknownOp]; f.ID is known then too, if
// it stands before the place where p ceases to be JSON, and all else but f.Op is of no use.
//
// Strings with escapes are unescaped where they stand, so Parse may change p, and p is parsed once. After that
// it must stay as it is for as long as f is used. Parse allocates nothing, unless to say what is wrong.
func (f *Frame) Parse(p []byte) error { return f.parse(p, false) }

// ParseText is Parse for a p that is known to be UTF-8, as a WebSocket's text message is. For text outside of
// ASCII that takes a fraction of the time: of 1 KiB of Chinese about a quarter.
func (f *Frame) ParseText(p []byte) error { return f.parse(p, true) }

func (f *Frame) parse(p []byte, isUTF8 bool) error {
	*f = Frame{}
	r := frameReader{scanner: scanner{p: p, isUTF8: isUTF8}, f: f}
	ok := r.object() && r.end()
	if err := r.refusal(ok, CodeBadFrame, "this frame cannot be decoded"); err != nil {
		return err
	}
	return r.finish()
}

// A frameReader is one Parse.
type frameReader struct {
	scanner
	f       *Frame
	seen    memberSet
	escapes memberSet // strings with escapes
	err     *Error    // the first thing wrong that does not end the walk
}

func (r *frameReader) object() bool {
	if !r.take('{') {
		return r.fail(`send one JSON object per line or message, for instance {"op":"subscribe","id":1,"channel":"news"}`)
	}
	for first := true; ; first = false {
		name, ok := r.name(first)
		if !ok {
			return r.why == ""
		}
		if !r.member(name) {
			return false
		}
	}
}

func (r *frameReader) member(name []byte) bool {
	m, to := r.f.member(name)
	if r.last&escaped != 0 {
		m, to = r.f.escapedMember(name)
	}
	start := r.i
	r.spaced = false
	if !r.value() {
		return false
	}
	if m == mUnknown {
		return true
	}
	if r.seen.has(m) {
		r.note("%s is there twice; say it once", m)
		if m == mID {
			r.f.ID = 0 // which of them is meant nobody knows
		}
		return true
	}
	r.seen.add(m)
	r.set(m, to, r.p[start:r.i])
	return true
}

// set stores a member's value. The scanner is behind it.
func (r *frameReader) set(m member, to *[]byte, raw []byte) {
	rule := &rules[m]
	if !rule.kind.begins(raw[0]) {
		r.wrong(m)
		return
	}
	switch rule.kind {
	case aString:
		if raw = raw[1 : len(raw)-1]; r.last&escaped != 0 {
			r.escapes.add(m)
		} else if uint64(len(raw)) > rule.max {
			r.wrong(m)
		}
		*to = raw
	case anInteger:
		n, ok := integer(raw, rule.max)
		if !ok {
			r.wrong(m)
			return
		}
		switch m {
		case mID:
			r.f.ID = n
		case mVersion:
			r.f.Version = int(n)
		case mLimit:
			r.f.Limit = int(n)
		}
	default:
		*to = raw
		if m == mData {
			r.f.compact = !r.spaced
		}
	}
}

func (r *frameReader) note(format string, args ...any) {
	if r.err == nil {
		r.err = Errorf(CodeBadFrame, format, args...)
	}
}

func (r *frameReader) wrong(m member) { r.note("%s is %s", m, rules[m].want()) }

// integer reads an integer from 1 to most, in digits alone.
func integer(raw []byte, most uint64) (n uint64, ok bool) {
	if len(raw) > 16 { // those of MaxID
		return 0, false
	}
	for _, c := range raw {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	return n, n > 0 && n <= most
}

// finish looks at the members together. What an op that is not known has for members is not judged.
func (r *frameReader) finish() error {
	f := r.f
	if r.escapes != 0 {
		r.unescape()
	}
	f.Op = clientOp(f.op)
	switch {
	case f.Op == OpNone && f.op != nil:
		return Errorf(CodeUnknownOp, "op %.40q is not known here; check its spelling and the server's version", f.op)
	case r.err != nil:
		return r.err
	case f.Op == OpNone:
		return Errorf(CodeBadFrame, `op is missing; say what the frame is for, for instance "op":"subscribe"`)
	}
	if missing := needs[f.Op] &^ r.seen; missing != 0 {
		return Errorf(CodeBadFrame, "%s needs a %s", f.Op, missing.first())
	}
	if f.Method != nil && !printable(f.Method) {
		r.wrong(mMethod)
		return r.err
	}
	return r.checkData()
}

// unescape unescapes the strings that need it, each where it stands.
func (r *frameReader) unescape() {
	for set := r.escapes; set != 0; set &= set - 1 {
		m := set.first()
		_, to := r.f.member([]byte(m.String()))
		*to = appendUnescaped((*to)[:0], *to)
		if uint64(len(*to)) > rules[m].max {
			r.wrong(m)
		}
	}
}

// checkData checks that type, data and data64 go together.
func (r *frameReader) checkData() error {
	f := r.f
	switch {
	case f.Data != nil && f.Data64 != nil:
		return Errorf(CodeBadFrame, "data and data64 are both there; a frame has one of them")
	case f.Data == nil && f.Data64 == nil && (f.Op == OpPublish || f.Op == OpCall || f.Op == OpSend):
		return Errorf(CodeBadFrame, `%s needs data (a JSON value, or a string with "type":"text") or data64`, f.Op)
	case f.Type == nil:
		return nil
	case string(f.Type) == "json":
		if f.Data64 != nil {
			return Errorf(CodeBadFrame, `with "type":"json", data is any JSON value, and there is no data64`)
		}
		return nil
	case string(f.Type) == "text":
		if f.Data64 != nil || f.Data != nil && f.Data[0] != '"' {
			return Errorf(CodeBadFrame, `with "type":"text", data is a string, and there is no data64`)
		}
		return nil
	case f.Data != nil:
		return Errorf(CodeBadFrame, `type is "json" or "text" beside data; other types have data64`)
	}
	return CheckContentType(string(f.Type))
}

func printable(p []byte) bool {
	for _, c := range p {
		if c < ' ' || c > '~' {
			return printableText(p)
		}
	}
	return len(p) > 0
}

func printableText(p []byte) bool {
	for len(p) > 0 {
		c, n := utf8.DecodeRune(p)
		if !unicode.IsPrint(c) {
			return false
		}
		p = p[n:]
	}
	return true
}

// A memberSet has a bit for each member.
type memberSet uint32

func (s *memberSet) add(m member)     { *s |= 1 << m }
func (s memberSet) has(m member) bool { return s>>m&1 != 0 }
func (s memberSet) first() member     { return member(bits.TrailingZeros32(uint32(s))) }
