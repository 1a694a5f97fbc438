package loop

// Go runs f on a goroutine of its own, which the group waits for when it is
// closed: for handlers that may block.
func (l *Loop) Go(f func()) { l.group.wg.Go(f) }
