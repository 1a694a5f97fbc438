#!/usr/bin/env bash
# fuzz.sh TIME: run every fuzz target of the root module for TIME. A target is found by its name, so a new
# one needs no entry anywhere.
set -euo pipefail
go=${GO:-go}
time=$1

# go test -list prints the names of one package, then its "ok" line.
list=$("$go" test -list '^Fuzz' ./...) || {
	printf '%s\n' "$list"
	exit 1
}
targets=$(awk '/^Fuzz/ {names[n++] = $1} /^ok/ {for (i = 0; i < n; i++) print $2, names[i]; n = 0}' <<<"$list")
if [ -z "$targets" ]; then
	echo 'no fuzz targets'
	exit 0
fi

while read -r package name; do
	printf -- '-- %s %s\n' "$package" "$name"
	# An input that is merely interesting is not worth a minute of minimising here; one that fails is kept
	# as it is, below testdata/fuzz.
	"$go" test -run '^$' -fuzz "^$name\$" -fuzztime "$time" -fuzzminimizetime 1x "$package" </dev/null
done <<<"$targets"
