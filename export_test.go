package longwire

// Bounds are [bounds]; zero means as usual.
type Bounds struct{ Turn, Inbox, Recent, Window, Page, Scattered int }

// Dropped returns how many publications were dropped by policies.
func (n *Node) Dropped() uint64 { return n.dropped.Load() }

// Bound makes a node's bounds other than usual.
func Bound(o *Options, b Bounds) {
	o.bounds = bounds{b.Turn, b.Inbox, b.Recent, b.Window, b.Page, b.Scattered}
}
