package longwire

// Door is for the transports of this module that are no [Way]: what they serve
// the node's sessions with.
func (n *Node) Door() *WayOptions {
	return &WayOptions{Acceptor: n, Engine: n.opts.Engine.Or(), Node: &n.opts, Session: true}
}
