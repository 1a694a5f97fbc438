package server

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
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

// The session in README.md is made of the lines that the server prints, and
// its program compiles.
func TestReadme(t *testing.T) {
	p, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	readme := string(p)
	r := start(t, nil)
	read, publish := r.Ways()
	local := strings.NewReplacer(strings.TrimPrefix(r.HTTPURL(), "http://"), "127.0.0.1:8080", strings.Replace(r.TCPAddr(), ":", " ", 1), "127.0.0.1 8888")
	for _, way := range append(read, publish...) {
		if line := local.Replace(way.Line); !strings.Contains(readme, "$ "+line) {
			t.Errorf("missing: %s", line)
		}
	}
	_, program, _ := strings.Cut(readme, "```go\n")
	program, _, ok := strings.Cut(program, "```")
	if !ok {
		t.Fatal("there is no program")
	}
	file := filepath.Join(t.TempDir(), "main.go")
	if err := os.WriteFile(file, []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("go", "vet", file).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
