package brokertest

import (
	"bytes"
	"fmt"
	"time"

	"github.com/longwire/longwire"
)

// keepsContent: what is published is what done and followers hear, and what is read.
func (s *suite) keepsContent() {
	s.open(longwire.Class{})
	ear := s.follow(nil)
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	given := time.Now().Add(-3*time.Second - 4567*time.Microsecond).Round(0)
	long := "a" + string(bytes.Repeat([]byte(".0123456789_-:@=ABCxyz0123456789_-:@=ABCxyz"), 5))
	var asked, published []*longwire.Publication
	for i, p := range []*longwire.Publication{
		{Channel: "a"},
		{Channel: "a", Kind: longwire.Binary, Data: every},
		{Channel: "a", Kind: longwire.Text},
		{Channel: "a", Kind: longwire.Text, Data: []byte("é漢字😀\r\n\x00\u2028")},
		{Channel: "a", Kind: longwire.JSON, Data: []byte(`{"a":[1,2.50,null]}`)},
		{Channel: "a.b", Kind: longwire.Binary, ContentType: "image/png", Data: []byte("png")},
		{Channel: "a.b.c", Kind: longwire.Text, ContentType: `text/html; charset="utf-8"`, Data: []byte("<p>")},
		{Channel: long, Data: []byte("x")},
		{Channel: "@user=40", Data: []byte("x"), From: "s-0123456789"},
		{Channel: "A_b-c:d@e=", Data: []byte("x"), Key: "key 1", From: "é"},
		{Channel: "headers", Data: []byte("x"), Headers: map[string]string{"a": "b"}},
		{Channel: "headers", Headers: map[string]string{"A": "1", "a": "2", "x-Y_z": " é: \t\"", "empty": "", "long": string(bytes.Repeat([]byte("v"), 4000))}},
		{Channel: "time", Time: given},
		{Channel: "time", Time: given.Add(-time.Hour), Key: "old", Data: []byte("x")},
		{Channel: "all", Kind: longwire.Text, ContentType: "text/csv", Data: []byte("a,b"), From: "f", Headers: map[string]string{"h": "v"}, Key: "k", Time: given},
		{Channel: "large", Kind: longwire.Binary, Data: bytes.Repeat([]byte("0123456789abcde\n"), 1<<16)},
	} {
		want := *p
		want.Data = bytes.Clone(p.Data)
		asked = append(asked, &want)
		published = append(published, s.publish(p))
		got := published[i]
		want.Partition, want.Epoch, want.Number = got.Partition, got.Epoch, got.Number
		if want.Time.IsZero() {
			want.Time = got.Time
		}
		if off := time.Since(got.Time); p.Time.IsZero() && (off > time.Minute || off < -time.Minute) {
			s.Errorf("number %d was published at %v, which is now", got.Number, got.Time)
		}
		s.same("what done heard", got, &want)
	}
	heard := map[string]*longwire.Publication{}
	for _, p := range ear.hears(len(asked)) {
		heard[fmt.Sprint(p.Partition, p.Number)] = p
	}
	ear.stop()
	for _, want := range asked {
		if p := heard[fmt.Sprint(want.Partition, want.Number)]; p == nil {
			s.Errorf("number %d of partition %d, to %s, was not told", want.Number, want.Partition, want.Channel)
		} else {
			s.same("what a follower heard", p, want)
		}
		r := longwire.Range{Partition: want.Partition, Channels: []string{want.Channel}, Epoch: want.Epoch, After: want.Number - 1, Taken: time.Now(), Limit: 1}
		for _, p := range s.plain(r) {
			s.same("what is read", p, want)
		}
		if ps := s.plain(r); len(ps) != 1 {
			s.Errorf("number %d of %s: %d are read, want it", want.Number, want.Channel, len(ps))
		}
	}
}
