package interop

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A suite is a program in testdata that runs cases against an address and
// reports them in the Test Anything Protocol: "ok 1 - name" or
// "not ok 1 - name", "# " before lines that say why, and "1..N" at the end.
func suite(t *testing.T, args ...string) {
	t.Helper()
	c := start(t, args[0], args[1:]...)
	c.in.Close()
	out, code := c.ends()
	lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	cases := 0
	for i, line := range lines {
		verdict, rest, ok := strings.Cut(line, "ok ")
		if !ok || verdict != "" && verdict != "not " {
			continue
		}
		cases++
		_, name, _ := strings.Cut(rest, " - ")
		t.Run(name, func(t *testing.T) {
			if verdict == "" {
				return
			}
			var why []string
			for _, l := range lines[i+1:] {
				if !strings.HasPrefix(l, "#") {
					break
				}
				why = append(why, l)
			}
			t.Error(strings.Join(why, "\n"))
		})
	}
	if plan := fmt.Sprintf("1..%d", cases); cases == 0 || lines[len(lines)-1] != plan {
		t.Errorf("%d cases reported, but the last line is %q; exit code %d", cases, lines[len(lines)-1], code)
	}
}

// node returns the command that runs a script of testdata.
func node(t *testing.T, script string, args ...string) []string {
	t.Helper()
	program(t, "node")
	if _, err := os.Stat(filepath.Join("node_modules", ".package-lock.json")); err != nil {
		t.Fatalf("the npm packages are not installed; run make deps (%v)", err)
	}
	return append([]string{"node", filepath.Join("testdata", script)}, args...)
}

// python is Debian's own, whatever else is in the path.
func python(t *testing.T, script string, args ...string) []string {
	t.Helper()
	const path = "/usr/bin/python3"
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%s is not installed; run make deps", path)
	}
	return append([]string{path, "-B", filepath.Join("testdata", script)}, args...)
}
