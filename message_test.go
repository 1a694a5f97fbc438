package longwire

import (
	"fmt"
	"testing"
)

// A message is framed once for each form, with its position where the form tells it.
func TestMessageFrame(t *testing.T) {
	framed := 0
	form := func(at bool) *Form {
		f := &Form{Append: func(dst []byte, k Kind, p []byte) []byte {
			framed++
			return fmt.Appendf(dst, "%v %s", k, p)
		}}
		if at {
			f.AppendAt = func(dst []byte, k Kind, p []byte, at Position) []byte {
				framed++
				return fmt.Appendf(dst, "%v %s at %s", k, p, at)
			}
		}
		return f
	}
	telling, silent := form(true), form(false)
	for _, tt := range []struct {
		name string
		m    *Message
		form *Form
		want string
	}{
		{"a position that is told", NewMessageAt(JSON, []byte("{}"), "1-2-3"), telling, "json {} at 1-2-3"},
		{"a position that is not", NewMessageAt(JSON, []byte("{}"), "1-2-3"), silent, "json {}"},
		{"no position", NewMessage(JSON, []byte("{}")), telling, "json {}"},
		{"an empty position", NewMessageAt(JSON, []byte("{}"), ""), telling, "json {}"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			framed = 0
			for range 3 {
				if got := tt.m.Frame(tt.form); string(got) != tt.want {
					t.Errorf("%q, want %q", got, tt.want)
				}
			}
			if framed != 1 {
				t.Errorf("framed %d times", framed)
			}
		})
	}
	m := NewMessageAt(Text, []byte("x"), "1-2-3")
	if m.Position() != "1-2-3" || m.Kind() != Text || string(m.Data()) != "x" {
		t.Errorf("%v %q at %q", m.Kind(), m.Data(), m.Position())
	}
	m.Frame(telling)
	if got := m.Frame(silent); string(got) != "text x" {
		t.Errorf("in another form %q", got)
	}
}
