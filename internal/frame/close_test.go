package frame

import (
	"slices"
	"strings"
	"testing"
)

func TestAppendClose(t *testing.T) {
	tests := []struct {
		name   string
		code   uint16
		reason string
		want   string // as transcribed by the peer
	}{
		{"code alone", CloseNormal, "", `close 1000 ""`},
		{"reason", 4001, "try later ☺", `close 4001 "try later ☺"`},
		{"longest", CloseGoingAway, strings.Repeat("x", 123), `close 1001 "` + strings.Repeat("x", 123) + `"`},
		{"too long", CloseGoingAway, strings.Repeat("x", 124), `close 1001 "` + strings.Repeat("x", 123) + `"`},
		{"cut before a character of 2", 1001, strings.Repeat("x", 122) + "ü", `close 1001 "` + strings.Repeat("x", 122) + `"`},
		{"cut before a character of 4", 1001, strings.Repeat("x", 120) + "😀", `close 1001 "` + strings.Repeat("x", 120) + `"`},
		{"no cut behind a character", 1001, strings.Repeat("x", 120) + "☺☺", `close 1001 "` + strings.Repeat("x", 120) + `☺"`},
		{"reason not UTF-8", CloseInternal, "a\xFFb", `close 1011 "a` + "\uFFFD" + `b"`},
		{"no status", CloseNoStatus, "unheard", `close 1005 ""`},
		{"abnormal", CloseAbnormal, "unheard", `close 1005 ""`},
		{"zero", 0, "", `close 1005 ""`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			frames := map[bool][]byte{
				false: AppendClose([]byte("..")[:0], tt.code, tt.reason),
				true:  AppendMaskedClose([]byte("..")[:0], tt.code, tt.reason, 0xA1B2C3D4),
			}
			for fromClient, frame := range frames {
				got := receive(t, &Config{Server: fromClient}, [][]byte{frame})
				if want := []string{tt.want}; !slices.Equal(got, want) {
					t.Errorf("masked %t: got %q, want %q", fromClient, got, want)
				}
			}
		})
	}
}

func TestErrorsFitIntoCloseFrames(t *testing.T) {
	for _, err := range []*Error{
		errReserved, errRSV1, errOpcode, errControlFragment, errControlLong, errLengthForm, errLengthHuge, errUnmasked,
		errMasked, errNoStart, errNotEnded, errCloseShort, errCloseCode, errCloseReason, errText, errTooBig, errFragments,
	} {
		if len(err.Reason) > MaxReason {
			t.Errorf("%d bytes: %s", len(err.Reason), err.Reason)
		}
		if !ValidCloseCode(err.Code) {
			t.Errorf("code %d: %s", err.Code, err.Reason)
		}
		if want := "frame: " + err.Reason; err.Error() != want {
			t.Errorf("got %q, want %q", err.Error(), want)
		}
	}
}
