package longwire

// Bounds are [bounds]; zero means as usual.
type Bounds struct{ Turn, Inbox, Recent, Window, Page, Scattered, Together int }

// Dropped returns how many publications were dropped by policies.
func (n *Node) Dropped() uint64 { return n.dropped.Load() }

// Reads returns how often history was read for those who catch up.
func (n *Node) Reads() int64 { return n.desk.reads.Load() }

// Bound makes a node's bounds other than usual.
func Bound(o *Options, b Bounds) {
	o.bounds = bounds{turn: b.Turn, inbox: b.Inbox, recent: b.Recent, window: b.Window, page: b.Page, scattered: b.Scattered, together: b.Together}
}
