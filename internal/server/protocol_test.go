package server

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/longwire/longwire/wire"
)

// docs/protocol.md, section 7, is the list of codes.
func TestProtocolListsCodes(t *testing.T) {
	p, err := os.ReadFile("../../docs/protocol.md")
	if err != nil {
		t.Fatal(err)
	}
	for c := range wire.Codes() {
		i, again := c.Info(), "no"
		if i.Retry {
			again = "yes"
		}
		row := fmt.Sprintf("| `%s` | %d | %d | %s | %s |\n", c, i.Status, i.CloseCode, again, i.Message)
		if !strings.Contains(string(p), row) {
			t.Errorf("missing: %s", row)
		}
	}
}
