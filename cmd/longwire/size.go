package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// A size is a number of bytes, as 1000000, 512KiB, 64MiB or 2GiB.
type size int64

// UnmarshalText reads a flag's value.
func (s *size) UnmarshalText(text []byte) error {
	digits, shift := strings.TrimSpace(string(text)), 0
	for i, unit := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if rest, ok := strings.CutSuffix(digits, unit); ok {
			digits, shift = strings.TrimSpace(rest), 10*(i+1)
			break
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64>>shift {
		return fmt.Errorf("%q is no size; write a number of bytes, or one with KiB, MiB or GiB behind it", text)
	}
	*s = size(n << shift)
	return nil
}
