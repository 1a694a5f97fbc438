package frame

import "testing"

func TestAcceptKey(t *testing.T) {
	// The example of RFC 6455, 1.3.
	if got, want := AcceptKey("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestValidKey(t *testing.T) {
	tests := []struct {
		name, key string
		want      bool
	}{
		{"the RFC's", "dGhlIHNhbXBsZSBub25jZQ==", true},
		{"zeros", "AAAAAAAAAAAAAAAAAAAAAA==", true},
		{"empty", "", false},
		{"15 bytes", "AAAAAAAAAAAAAAAAAAAA", false},
		{"17 bytes", "AAAAAAAAAAAAAAAAAAAAAAA=", false},
		{"18 bytes", "AAAAAAAAAAAAAAAAAAAAAAAA", false},
		{"no padding", "AAAAAAAAAAAAAAAAAAAAAA", false},
		{"bits in the padding", "AAAAAAAAAAAAAAAAAAAAAB==", false},
		{"of the URL alphabet", "AAAAAAAAAAAAAAAAAAAA-A==", false},
		{"newlines within", "AAAAAAAAAAAA\nAAAAAAAA\n==", false},
		{"16 bytes and newlines", "AAAAAAAAAAAAAAAAAAAAAA==\n", false},
		{"space", " dGhlIHNhbXBsZSBub25jZQ=", false},
	}
	for _, tt := range tests {
		if got := ValidKey(tt.key); got != tt.want {
			t.Errorf("%s: got %t, want %t", tt.name, got, tt.want)
		}
	}
}

func TestHeaderHasToken(t *testing.T) {
	tests := []struct {
		name   string
		values []string
		want   bool
	}{
		{"none", nil, false},
		{"empty", []string{""}, false},
		{"alone", []string{"upgrade"}, true},
		{"other case", []string{"UpGrade"}, true},
		{"in a list", []string{"keep-alive, Upgrade"}, true},
		{"list without spaces", []string{"keep-alive,upgrade,x"}, true},
		{"tabs and empty items", []string{",\t upgrade\t ,,"}, true},
		{"second header", []string{"keep-alive", "upgrade"}, true},
		{"part of a longer one", []string{"upgrades, xupgrade, up grade"}, false},
		{"with a parameter", []string{"upgrade;q=1"}, false},
		{"behind another kind of space", []string{"\u00A0upgrade"}, false},
	}
	for _, tt := range tests {
		if got := HeaderHasToken(tt.values, "Upgrade"); got != tt.want {
			t.Errorf("%s: got %t, want %t", tt.name, got, tt.want)
		}
	}
	if HeaderHasToken([]string{"websoc\u212Aet"}, "websocket") {
		t.Error("the Kelvin sign passed for a k")
	}
}
