package server

import (
	"bytes"
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/longwire/longwire/wire"
)

// The objects that docs/protocol.md shows are what it says they are: those of
// section 3 frames that a server takes, those of section 4 frames that a client
// understands, all others JSON.
func TestProtocolFrames(t *testing.T) {
	said := map[wire.Op]bool{}
	for section, objects := range protocolObjects(t) {
		if len(objects) == 0 && (section == "3" || section == "4") {
			t.Errorf("section %s shows no frames", section)
		}
		for _, object := range objects {
			p := whole(object)
			switch {
			case section == "3":
				said[clientFrame(t, p)] = true
			case section == "4":
				said[serverFrame(t, p)] = true
			case !json.Valid(p):
				t.Errorf("section %s: %s is no JSON", section, object)
			}
		}
	}
	for op := wire.OpConnect; op.String() != ""; op++ {
		if !said[op] {
			t.Errorf("no frame shows %s", op)
		}
	}
}

// The members in which section 1.5 puts data are taken in a frame.
func TestProtocolData(t *testing.T) {
	_, section, _ := strings.Cut(protocolText(t), "**1.5 ")
	section, _, _ = strings.Cut(section, "**1.6 ")
	rows := regexp.MustCompile("\\| `(\"[^`]*)` \\|").FindAllStringSubmatch(section, -1)
	if len(rows) < 4 {
		t.Errorf("%d rows", len(rows))
	}
	for _, row := range rows {
		members := strings.ReplaceAll(row[1], "VALUE", "[null]")
		clientFrame(t, []byte(`{"op":"publish","channel":"news",`+members+`}`))
	}
}

func protocolText(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/protocol.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// protocolObjects returns the objects that stand in the text of each section.
func protocolObjects(t *testing.T) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for _, section := range strings.Split(protocolText(t), "\n## ")[1:] {
		number, _, _ := strings.Cut(section, ".")
		prose := regexp.MustCompile("(?s)\n```.*?\n```").ReplaceAllString(section, "") // transcripts are run
		for _, m := range regexp.MustCompile("`({\"[^`]*})`").FindAllStringSubmatch(prose, -1) {
			all[number] = append(all[number], m[1])
		}
	}
	return all
}

// whole puts something in the places of what the text leaves out, except in
// strings: null for a value, nothing for the rest of a list.
func whole(object string) []byte {
	parts := strings.Split(object, `"`) // every second one is a string; none has a quote in it
	left := strings.NewReplacer("FRAME,…", "", "[…]", "[]", ",…", "", "…", "null", "FRAME", "null", "N", "null")
	for i := 0; i < len(parts); i += 2 {
		parts[i] = left.Replace(parts[i])
	}
	return []byte(strings.Join(parts, `"`))
}

func clientFrame(t *testing.T, p []byte) wire.Op {
	t.Helper()
	var f wire.Frame
	if err := f.Parse(bytes.Clone(p)); err != nil {
		t.Errorf("%s: %v", p, err)
	}
	for _, err := range f.Subscriptions() {
		if err != nil {
			t.Errorf("%s: %v", p, err)
		}
	}
	return f.Op
}

func serverFrame(t *testing.T, p []byte) wire.Op {
	t.Helper()
	var f wire.ServerFrame
	d := json.NewDecoder(bytes.NewReader(p))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil || f.Op == wire.OpNone {
		t.Errorf("%s: op %q, %v", p, f.Op, err)
	}
	if err := f.Err(); err != nil && !err.Code.Known() {
		t.Errorf("%s: there is no code %q", p, err.Code)
	}
	if c := f.Connected(); c != nil {
		if again := wire.AppendConnected(nil, c); !bytes.Equal(again, p) {
			t.Errorf("a server says\n%s\nand not\n%s", again, p)
		}
		if c.Limits.Message != wire.MaxMessage || c.Limits.Frame != wire.MaxFrame(0) {
			t.Errorf("limits are %+v", c.Limits)
		}
	}
	return f.Op
}
