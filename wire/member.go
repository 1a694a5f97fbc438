package wire

import (
	"fmt"
	"math"
)

// A member is a name that a client's frame may have in it.
type member uint8

const (
	mUnknown member = iota
	mOp
	mID
	mChannel
	mSince
	mType
	mData
	mData64
	mKey
	mMethod
	mToken
	mSession
	mSecret
	mName
	mHeaders
	mSubscribe
	mVersion
	mLimit
)

// String returns the name.
func (m member) String() string { return rules[m].name }

// A kind is what JSON has a member's value as.
type kind uint8

const (
	anything kind = iota
	aString
	anInteger
	anObject
	anArray
)

// begins reports whether a value that begins with c is of the kind; c is of a value that was walked.
func (k kind) begins(c byte) bool {
	switch k {
	case aString:
		return c == '"'
	case anInteger:
		return c-'0' <= 9
	case anObject:
		return c == '{'
	case anArray:
		return c == '['
	}
	return true
}

// A rule is what holds for a member wherever it stands.
type rule struct {
	name  string
	kind  kind
	max   uint64 // bytes of a string, or the largest integer; an int of 32 bits has no room for MaxID
	words string
}

// Strings without a bound of their own are bounded by the frame: what they name is looked up, not kept.
var rules = [...]rule{
	mOp:        {"op", aString, math.MaxInt, "a string"},
	mID:        {"id", anInteger, MaxID, ""},
	mChannel:   {"channel", aString, math.MaxInt, "a string"},
	mSince:     {"since", aString, math.MaxInt, "a string: a position, now, all, last:N or a duration such as 10m"},
	mType:      {"type", aString, math.MaxInt, `a string: "json", "text" or a media type such as image/png`},
	mData:      {"data", anything, 0, ""},
	mData64:    {"data64", aString, math.MaxInt, "a string: base64 with padding (RFC 4648, section 4)"},
	mKey:       {"key", aString, MaxKey, "a string of at most %d bytes"},
	mMethod:    {"method", aString, MaxMethod, "a string of 1 to %d bytes, all of them printable"},
	mToken:     {"token", aString, MaxCredential, "a string of at most %d bytes"},
	mSession:   {"session", aString, math.MaxInt, "a string"},
	mSecret:    {"secret", aString, math.MaxInt, "a string"},
	mName:      {"name", aString, MaxName, "a string of at most %d bytes"},
	mHeaders:   {"headers", anObject, 0, "an object with strings in it"},
	mSubscribe: {"subscribe", anArray, 0, `an array of objects such as {"channel":"news"}`},
	mVersion:   {"version", anInteger, math.MaxInt32, ""},
	mLimit:     {"limit", anInteger, math.MaxInt32, ""},
}

// want says what the member's value should be.
func (r *rule) want() string {
	switch {
	case r.kind == anInteger:
		return fmt.Sprintf("an integer from 1 to %d, in digits alone", r.max)
	case r.kind == aString && r.max < math.MaxInt:
		return fmt.Sprintf(r.words, r.max)
	}
	return r.words
}

// needs is what each op cannot be without.
var needs = [len(opNames)]memberSet{
	OpSubscribe:   1 << mChannel,
	OpUnsubscribe: 1 << mChannel,
	OpPublish:     1 << mChannel,
	OpPresence:    1 << mChannel,
	OpHistory:     1 << mChannel,
	OpCall:        1 << mMethod,
	OpSend:        1 << mMethod,
	OpRefresh:     1 << mToken,
}

// member returns the member of the given name, and where its value goes unless that is a number.
func (f *Frame) member(name []byte) (member, *[]byte) {
	switch string(name) {
	case "op":
		return mOp, &f.op
	case "id":
		return mID, nil
	case "channel":
		return mChannel, &f.Channel
	case "since":
		return mSince, &f.Since
	case "type":
		return mType, &f.Type
	case "data":
		return mData, &f.Data
	case "data64":
		return mData64, &f.Data64
	case "key":
		return mKey, &f.Key
	case "method":
		return mMethod, &f.Method
	case "token":
		return mToken, &f.Token
	case "session":
		return mSession, &f.Session
	case "secret":
		return mSecret, &f.Secret
	case "name":
		return mName, &f.Name
	case "headers":
		return mHeaders, &f.Headers
	case "subscribe":
		return mSubscribe, &f.Subscribe
	case "version":
		return mVersion, nil
	case "limit":
		return mLimit, nil
	}
	return mUnknown, nil
}

// escapedMember is member for a name with escapes in it. The longest that is known has nine bytes.
func (f *Frame) escapedMember(name []byte) (member, *[]byte) {
	var buf [9 * len(`\u0000`)]byte
	if len(name) > len(buf) {
		return mUnknown, nil
	}
	return f.member(appendUnescaped(buf[:0], name))
}
