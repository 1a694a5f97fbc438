package loop

// Descriptors reports whether the loops of the group watch bare descriptors:
// whether AdoptFD is for them.
func (g *Group) Descriptors() bool {
	_, none := g.loops[0].wait.(*chanWaiter)
	return !none
}
