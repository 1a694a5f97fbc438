package ws

import (
	"io"
	"testing"

	"github.com/longwire/longwire/internal/frame"
)

// A handler that bounds frames sends longer messages in fragments.
func TestMaxFrame(t *testing.T) {
	for _, tt := range []struct{ name, say, want string }{
		{"fits", "abcd", "\x81\x04abcd"},
		{"two fragments", "abcdef", "\x01\x04abcd\x80\x02ef"},
		{"three fragments", "abcdefghi", "\x01\x04abcd\x00\x04efgh\x80\x01i"},
		{"a multiple", "abcdefgh", "\x01\x04abcd\x80\x04efgh"},
		{"empty", "", "\x81\x00"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := dial(t, serve(t, &Handler{Acceptor: echo(true), MaxFrame: 4}, false), nil)
			c.send(frame.Text, tt.say)
			got := make([]byte, len(tt.want))
			if _, err := io.ReadFull(c.br, got); err != nil || string(got) != tt.want {
				t.Errorf("got %q, %v; want %q", got, err, tt.want)
			}
		})
	}
}
