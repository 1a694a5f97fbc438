package longwire

import "fmt"

// A Policy says what becomes of what is published to a channel without history, where a
// link has no room for it or is not there yet: what waits for a link is bounded, and history,
// from which others are served then, does not have it. Whatever is dropped is told by a gap
// before anything later of the subscription, and counted.
type Policy uint8

const (
	// DropOldest has the last 64 publications wait, or the last 16 KiB, and drops what is older.
	DropOldest Policy = iota
	// KeepLatest has the newest of each channel wait and drops those before it, and has as
	// much room in all as DropOldest. It is for values that replace each other.
	KeepLatest
	// Disconnect has as much wait as DropOldest, and closes the link with slow_consumer instead
	// of dropping anything.
	Disconnect

	policies = iota // how many there are
)

var policyNames = [policies]string{"drop-oldest", "latest", "disconnect"}

// String returns the name that the policy has in configuration files: drop-oldest, latest
// or disconnect.
func (p Policy) String() string {
	if p >= policies {
		return fmt.Sprintf("Policy(%d)", uint8(p))
	}
	return policyNames[p]
}

// UnmarshalText reads a name.
func (p *Policy) UnmarshalText(text []byte) error {
	for i, name := range policyNames {
		if name == string(text) {
			*p = Policy(i)
			return nil
		}
	}
	return fmt.Errorf("longwire: %.40q says nothing about who is behind; write drop-oldest, latest or disconnect", text)
}

// behind returns the policy of a channel without history. A broker that says nothing drops the oldest.
func (n *Node) behind(channel string) Policy {
	if b, ok := n.broker.(interface{ Behind(channel string) Policy }); ok {
		return min(b.Behind(channel), policies-1)
	}
	return DropOldest
}
