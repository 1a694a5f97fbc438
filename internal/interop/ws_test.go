package interop

import "testing"

// TestWS lets npm's ws talk to the door, and TestWebsockets Python's
// websockets. TestProxies does the same through proxies.
func TestWS(t *testing.T) {
	t.Parallel()
	t.Run("plain", func(t *testing.T) { suite(t, node(t, "ws.mjs", openDoor(t, false).url)...) })
	t.Run("tls", func(t *testing.T) {
		cert, _ := certFiles(t)
		suite(t, node(t, "ws.mjs", openDoor(t, true).url, cert)...)
	})
}

func TestWebsockets(t *testing.T) {
	t.Parallel()
	t.Run("plain", func(t *testing.T) { suite(t, python(t, "pywebsockets.py", openDoor(t, false).url)...) })
	t.Run("tls", func(t *testing.T) {
		cert, _ := certFiles(t)
		suite(t, python(t, "pywebsockets.py", openDoor(t, true).url, cert)...)
	})
}
