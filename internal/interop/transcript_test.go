package interop

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestTranscripts types what docs/protocol.md, section 9, says, and wants to see
// what it shows. Each part of the section has a server of its own.
//
// The values that differ each time are whatever comes in their places: the text
// shows one for each, which stands for the same wherever it is shown again, also
// in what is typed later.
func TestTranscripts(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/protocol.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text9, ok := strings.Cut(string(text), "\n## 9. ")
	if !ok {
		t.Fatal("there is no section 9")
	}
	parts := strings.Split(text9, "\n### ")[1:]
	if len(parts) == 0 {
		t.Fatal("section 9 has no parts")
	}
	for _, part := range parts {
		name, part, _ := strings.Cut(part, "\n")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			newTyping(t).all(consoles(part))
		})
	}
}

// consoles returns the blocks of a text that show what is typed, as lines.
func consoles(text string) (blocks [][]string) {
	for _, block := range strings.Split(text, "\n```console\n")[1:] {
		block, _, _ = strings.Cut(block, "\n```")
		blocks = append(blocks, strings.Split(block, "\n"))
	}
	return blocks
}

// A typing is somebody who types what the text says.
//
//	$ command   is run; the one before has ended by itself, or goes on if its block is over
//	> line      is typed to the command
//	^C          ends the command
//	…           is any number of lines of its output
//	line        is the next line of its output; … in it is any text
//
// A block without a command at its beginning is about the last one that goes on.
type typing struct {
	t      *testing.T
	dir    string
	ports  *strings.Replacer // from those in the text to those that are
	values map[string]string // by what the text shows for each
	going  []command         // that have not ended, the last one last
}

// A command is a line that runs in a shell.
type command struct {
	*child
	text string
}

func newTyping(t *testing.T) *typing {
	r := openRoom(t, false)
	host, port, err := net.SplitHostPort(r.TCPAddr())
	if err != nil {
		t.Fatal(err)
	}
	ports := strings.NewReplacer("http://127.0.0.1:8080", r.HTTPURL(), "127.0.0.1 8888", host+" "+port)
	return &typing{t: t, dir: t.TempDir(), ports: ports, values: map[string]string{}}
}

func (y *typing) all(blocks [][]string) {
	if len(blocks) == 0 {
		y.t.Error("nothing is typed")
	}
	for _, block := range blocks {
		y.block(block)
	}
	for len(y.going) > 0 {
		y.interrupt()
	}
}

func (y *typing) block(lines []string) {
	y.t.Helper()
	before, skip := len(y.going), false
	for _, line := range lines {
		if text, ok := strings.CutPrefix(line, "$ "); ok {
			if len(y.going) > before {
				y.ended(skip)
			}
			skip = false
			y.going = append(y.going, command{start(y.t, "env", "-C", y.dir, "sh", "-c", y.typed(text)), text})
			continue
		}
		if len(y.going) == 0 {
			y.t.Fatalf("%q: no command goes on that could say so", line)
		}
		c := y.going[len(y.going)-1]
		switch typed, ok := strings.CutPrefix(line, "> "); {
		case ok:
			if _, err := io.WriteString(c.in, y.typed(typed)+"\n"); err != nil {
				y.t.Fatal(err)
			}
		case line == "^C":
			y.interrupt()
		case line == "…":
			skip = true
			continue
		default:
			y.expect(c, line, skip)
		}
		skip = false
	}
	if n := len(y.going); n > before && !y.going[n-1].goesOn() {
		y.ended(skip)
	}
}

// goesOn reports whether a command need not end by itself.
func (c command) goesOn() bool {
	return strings.HasPrefix(c.text, "curl -N ") || strings.HasPrefix(c.text, "nc ") || strings.Contains(c.text, "| nc ")
}

// next returns the next line that a command says; the last need not end.
func (c command) next() (string, bool) {
	c.soon()
	s, err := c.lines.ReadString('\n')
	return strings.TrimRight(s, "\r\n"), err == nil || errors.Is(err, io.EOF) && s != ""
}

// pop takes the last command that goes on.
func (y *typing) pop() command {
	n := len(y.going) - 1
	c := y.going[n]
	y.going = y.going[:n]
	return c
}

// ended waits for the end of the last command.
func (y *typing) ended(skip bool) {
	y.t.Helper()
	c := y.pop()
	c.in.Close() // nothing more is typed
	if rest, _ := c.ends(); !skip {
		y.silent(c, rest)
	}
}

// interrupt ends the last command.
func (y *typing) interrupt() {
	y.t.Helper()
	c := y.pop()
	c.cancel()
	c.wait()
	c.soon()
	rest, err := io.ReadAll(c.lines)
	if err != nil {
		y.t.Error(err)
	}
	y.silent(c, string(rest))
}

// silent is about what a command says that the text does not show.
func (y *typing) silent(c command, rest string) {
	y.t.Helper()
	for line := range strings.Lines(rest) {
		if !unshown(strings.TrimSpace(line)) {
			y.t.Errorf("%s\nalso says:\n%s", c.text, line)
		}
	}
}

// unshown reports whether a line need not be shown: an empty one, and a ping, which
// comes when it likes.
func unshown(line string) bool { return line == "" || strings.HasPrefix(line, `{"op":"ping"`) }

// expect reads the line that one of the text stands for, and those before it
// if they are skipped.
func (y *typing) expect(c command, want string, skip bool) {
	y.t.Helper()
	pattern, names := compile(want)
	for {
		got, ok := c.next()
		values := pattern.FindStringSubmatch(got)
		switch {
		case !ok:
			y.t.Fatalf("%s\nsays nothing more, and not\n%s", c.text, want)
		case values == nil && (skip || unshown(got)):
			continue
		case values == nil:
			y.t.Fatalf("%s\nsays\n%s\nand not\n%s", c.text, got, want)
		}
		for i, name := range names {
			y.bind(name, values[i+1])
		}
		return
	}
}

func (y *typing) bind(name, value string) {
	y.t.Helper()
	if was, ok := y.values[name]; ok && was != value {
		y.t.Errorf("%s stands for %s, and for %s", name, was, value)
	}
	y.values[name] = value
}

// What differs each time: ids and secrets, times, positions, and what was left out.
var differs = regexp.MustCompile(`(\b[A-Za-z0-9_-]{22}\b)|(\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)|(\b[0-9a-z]+-\d+-[0-9a-z]+\b)|(…)`)

// compile makes a pattern of a line, and returns what its groups stand for.
func compile(line string) (*regexp.Regexp, []string) {
	var names []string
	b, end := &strings.Builder{}, 0
	for _, m := range differs.FindAllStringSubmatchIndex(line, -1) {
		b.WriteString(regexp.QuoteMeta(line[end:m[0]]))
		end = m[1]
		switch shown := line[m[0]:m[1]]; {
		case shown == "…":
			b.WriteString(".*")
		case m[2] >= 0:
			b.WriteString(`([A-Za-z0-9_-]{22})`)
			names = append(names, shown)
		case m[4] >= 0:
			b.WriteString(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`)
		default:
			b.WriteString(`([0-9a-z]+-\d+-[0-9a-z]+)`)
			names = append(names, shown)
		}
	}
	b.WriteString(regexp.QuoteMeta(line[end:]))
	return regexp.MustCompile(fmt.Sprintf("^%s$", b)), names
}

// typed returns what is really typed.
func (y *typing) typed(line string) string {
	return y.ports.Replace(differs.ReplaceAllStringFunc(line, func(shown string) string {
		if v, ok := y.values[shown]; ok {
			return v
		}
		return shown
	}))
}
