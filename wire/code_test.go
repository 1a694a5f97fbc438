package wire

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"testing"
	"time"
)

var lowerSnake = regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)

// rfcCloseCodes are those that RFC 6455 section 7.4.1 and the IANA registry let an endpoint send.
var rfcCloseCodes = []uint16{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014}

func TestCodeTable(t *testing.T) {
	codes, closes := map[Code]bool{}, map[uint16]Code{}
	for _, i := range table {
		if codes[i.Code] {
			t.Errorf("%s is listed twice", i.Code)
		}
		codes[i.Code] = true
		if !lowerSnake.MatchString(string(i.Code)) {
			t.Errorf("%s is not lower_snake", i.Code)
		}
		if other, ok := closes[i.CloseCode]; ok {
			t.Errorf("%s and %s share the close code %d", i.Code, other, i.CloseCode)
		}
		closes[i.CloseCode] = i.Code
		own := i.CloseCode >= 4000 && i.CloseCode <= 4099
		if !own && !slices.Contains(rfcCloseCodes, i.CloseCode) {
			t.Errorf("%s: close code %d may not be sent", i.Code, i.CloseCode)
		}
		if http.StatusText(i.Status) == "" {
			t.Errorf("%s: %d is no HTTP status", i.Code, i.Status)
		}
		if i.Message == "" || len(i.Message) > MaxReason {
			t.Errorf("%s: message of %d bytes, want 1 to %d", i.Code, len(i.Message), MaxReason)
		}
	}
}

func TestCodesWalksTheTable(t *testing.T) {
	got := slices.Collect(Codes())
	if len(got) != len(table) || got[0] != table[0].Code {
		t.Errorf("Codes() gave %d codes from %q, want %d from %q", len(got), got[0], len(table), table[0].Code)
	}
	for range Codes() {
		break // must not panic
	}
	for _, c := range got {
		if !c.Known() || c.Info().Code != c {
			t.Errorf("%s is not found by its own name", c)
		}
	}
}

// The numbers are promises to programs in other languages: this list only grows.
func TestCodesKeepTheirNumbers(t *testing.T) {
	for _, tt := range []struct {
		code      Code
		status    int
		closeCode uint16
		retry     bool
	}{
		{"normal", 200, 1000, false},
		{"going_away", 503, 1001, true},
		{"protocol_error", 400, 1002, false},
		{"unsupported_data", 415, 1003, false},
		{"bad_utf8", 400, 1007, false},
		{"too_large", 413, 1009, false},
		{"internal", 500, 1011, true},
		{"overloaded", 503, 1013, true},
		{"draining", 503, 4000, true},
		{"slow_consumer", 408, 4012, true},
		{"bad_channel", 400, 4022, false},
		{"bad_origin", 403, 4023, false},
		{"method_not_allowed", 405, 4026, false},
		{"rate_limited", 429, 4030, true},
		{"needs_history", 409, 4043, false},
		{"out_of_order", 409, 4044, true},
		{"session_moved", 410, 4045, true},
		{"outcome_unknown", 504, 4046, false},
		{"from_a_newer_server", 500, 1011, true},
	} {
		if s, cc, r := tt.code.Status(), tt.code.CloseCode(), tt.code.Retryable(); s != tt.status || cc != tt.closeCode || r != tt.retry {
			t.Errorf("%s: %d, %d, %t; want %d, %d, %t", tt.code, s, cc, r, tt.status, tt.closeCode, tt.retry)
		}
	}
}

func TestFromCloseCode(t *testing.T) {
	for c := range Codes() {
		if got := FromCloseCode(c.CloseCode()); got != c {
			t.Errorf("FromCloseCode(%d) = %q, want %q", c.CloseCode(), got, c)
		}
	}
	for _, tt := range []struct {
		closeCode uint16
		want      Code
	}{
		{1005, CodeNormal},
		{1006, CodeLost},
		{1008, CodeForbidden},
		{1012, CodeDraining},
		{3000, ""},
		{4099, ""},
		{4999, ""},
		{0, CodeProtocolError},
		{999, CodeProtocolError},
		{1004, CodeProtocolError},
		{2999, CodeProtocolError},
		{5000, CodeProtocolError},
	} {
		if got := FromCloseCode(tt.closeCode); got != tt.want {
			t.Errorf("FromCloseCode(%d) = %q, want %q", tt.closeCode, got, tt.want)
		}
	}
}

func TestError(t *testing.T) {
	err := fmt.Errorf("reading: %w", Errorf(CodeTooLarge, "the message has %d bytes", 7))
	if got, want := err.Error(), "reading: longwire: too_large: the message has 7 bytes"; got != want {
		t.Errorf("Error() = %q, want %q", got, want)
	}
	if !errors.Is(err, &Error{Code: CodeTooLarge}) || errors.Is(err, &Error{Code: CodeBadUTF8}) {
		t.Error("errors.Is does not compare by code")
	}
	if got, want := (&Error{Code: CodeNormal}).Error(), "longwire: normal: closed as asked; nothing to do"; got != want {
		t.Errorf("Error() = %q, want %q", got, want)
	}
}

func TestErrorRetryable(t *testing.T) {
	for _, tt := range []struct {
		name string
		err  Error
		want bool
	}{
		{"as the code says: yes", Error{Code: CodeOverloaded}, true},
		{"as the code says: no", Error{Code: CodeForbidden}, false},
		{"after a while", Error{Code: CodeForbidden, Retry: time.Second}, true},
		{"never", Error{Code: CodeOverloaded, Retry: -1}, false},
	} {
		if got := tt.err.Retryable(); got != tt.want {
			t.Errorf("%s: %t, want %t", tt.name, got, tt.want)
		}
	}
}

func TestCodeOf(t *testing.T) {
	for _, tt := range []struct {
		name string
		err  error
		want Code
	}{
		{"nil", nil, ""},
		{"an Error", &Error{Code: CodeBadUTF8}, CodeBadUTF8},
		{"joined", errors.Join(io.EOF, &Error{Code: CodeLost}), CodeLost},
		{"any other", io.EOF, CodeInternal},
	} {
		if got := CodeOf(tt.err); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}
