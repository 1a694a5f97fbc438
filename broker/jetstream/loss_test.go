package jetstream

import (
	"fmt"
	"testing"
	"time"

	"github.com/longwire/longwire"
)

// Who goes on from where a gap has ended is not told of it again.
func TestGapEnds(t *testing.T) {
	b := open(t, &Options{Classes: []longwire.Class{{Name: "default", Count: 3}}})
	var epoch uint32
	for i := range 10 {
		q, err := publish(t, b, &longwire.Publication{Channel: "a", Kind: longwire.Text, Data: fmt.Append(nil, i)})
		if err != nil {
			t.Fatal(err)
		}
		epoch = q.Epoch
	}
	for _, tt := range []struct {
		after uint64
		want  string
	}{
		{0, "gap(a,6) 7:a=6 8:a=7 9:a=8 10:a=9 "},
		{1, "gap(a,6) 7:a=6 8:a=7 9:a=8 10:a=9 "}, // one more is kept than is promised
		{5, "gap(a,6) 7:a=6 8:a=7 9:a=8 10:a=9 "},
		{6, "7:a=6 8:a=7 9:a=8 10:a=9 "}, // where the gap ended
		{7, "8:a=7 9:a=8 10:a=9 "},
		{10, ""},
	} {
		if got := read(t, b, &longwire.Range{Channels: []string{"a"}, Epoch: epoch, After: tt.after, Taken: time.Now()}); got != tt.want {
			t.Errorf("after %d: %s, want %s", tt.after, got, tt.want)
		}
	}
}

// What is lost for the count of one channel of many is told to who reads a pattern, whatever was known of them before.
func TestCrowdGrows(t *testing.T) {
	b := open(t, &Options{Classes: []longwire.Class{{Name: "default", Count: 3}}})
	var epoch uint32
	for _, tt := range []struct{ publish, want string }{
		{"abcde", "1:a=x 2:b=x 3:c=x 4:d=x 5:e=x "},
		{"aa", "1:a=x 2:b=x 3:c=x 4:d=x 5:e=x 6:a=x 7:a=x "},
		{"a", "gap(>,0) 1:a=x 2:b=x 3:c=x 4:d=x 5:e=x 6:a=x 7:a=x 8:a=x "}, // what is behind the promised count is not relied upon
	} {
		for _, c := range tt.publish {
			q, err := publish(t, b, &longwire.Publication{Channel: string(c), Kind: longwire.Text, Data: []byte("x")})
			if err != nil {
				t.Fatal(err)
			}
			epoch = q.Epoch
		}
		if got := read(t, b, &longwire.Range{Channels: []string{">"}, Epoch: epoch, Taken: time.Now()}); got != tt.want {
			t.Errorf("after %q: %s, want %s", tt.publish, got, tt.want)
		}
	}
}
