package main

import "testing"

func TestSize(t *testing.T) {
	for text, want := range map[string]size{
		"0": 0, "1000": 1000, "1KiB": 1 << 10, "512 MiB": 512 << 20, "2GiB": 2 << 30, "1TiB": 1 << 40,
		"": -1, "x": -1, "-1": -1, "1KB": -1, "1.5GiB": -1, "9223372036854775807": 1<<63 - 1, "9223372036854775807KiB": -1,
	} {
		s := size(-1)
		if err := s.UnmarshalText([]byte(text)); s != want || (err == nil) != (want >= 0) {
			t.Errorf("%q: %d %v, want %d", text, s, err, want)
		}
	}
}
