package server

import (
	"bufio"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// TestPaste runs the lines that are printed at the start, as a shell would: each
// that reads must hear what each that publishes says.
func TestPaste(t *testing.T) {
	for _, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			r := start(t, options(t, mode.secure))
			hello := r.Hello()
			read, publish := r.Ways()
			for _, way := range append(read, publish...) {
				if !strings.Contains(hello, way.Line+"\n") {
					t.Errorf("not printed: %s", way.Line)
				}
			}
			for _, say := range publish {
				var heard []func() string
				for _, way := range read {
					heard = append(heard, r.paste(way))
				}
				r.subscribers("news", len(read))
				out, err := exec.Command("sh", "-c", say.Line).CombinedOutput()
				if !strings.Contains(string(out), `"position":"`) {
					t.Fatalf("%s: %v\n%s", say.Line, err, out)
				}
				for i, way := range read {
					if got := heard[i](); !strings.Contains(got, "hello") {
						t.Errorf("%s heard %q from %s", way.Line, got, say.Line)
					}
				}
				r.subscribers("news", 0)
			}
		})
	}
}

// paste starts a line that reads. The function waits for the message that it
// hears, and ends it.
func (r *running) paste(way Way) func() string {
	r.t.Helper()
	words := strings.Fields(way.Line)
	if words[0] == "npx" { // it would fetch wscat from the network: its address is tried
		url := words[len(words)-1]
		p := r.wsPeer(url[strings.Index(url, "/channels/"):])
		return func() string {
			defer p.conn.Close()
			for {
				if s, err := p.next(); err != nil || strings.Contains(s, `"op":"message"`) {
					return s
				}
			}
		}
	}
	cmd := exec.Command("sh", "-c", way.Line)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // the shell's children end with it
	out, err := cmd.StdoutPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	end := func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		cmd.Wait()
	}
	return func() string {
		defer end()
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if strings.Contains(lines.Text(), `"op":"message"`) {
				return lines.Text()
			}
		}
		return ""
	}
}
