package longwire

// A Session is one peer: who it is, its subscriptions and what is owed to it,
// whatever links come and go. Its methods may be called from any goroutine.
type Session struct {
	node *Node
}
