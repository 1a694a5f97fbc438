package interop

import "testing"

// TestEventSource lets npm's eventsource read from the door.
func TestEventSource(t *testing.T) {
	t.Parallel()
	t.Run("plain", func(t *testing.T) { suite(t, node(t, "eventsource.mjs", openDoor(t, false).url)...) })
	t.Run("tls", func(t *testing.T) {
		cert, _ := certFiles(t)
		args := node(t, "eventsource.mjs", openDoor(t, true).url)
		suite(t, append([]string{"env", "NODE_EXTRA_CA_CERTS=" + cert}, args...)...)
	})
}
