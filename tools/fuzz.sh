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

# run PACKAGE NAME: an input that is merely interesting is not worth a minute of minimising here; one that fails
# is kept as it is, below testdata/fuzz.
run() {
	"$go" test -run '^$' -fuzz "^$2\$" -fuzztime "$time" -fuzzminimizetime 1x "$1" </dev/null
}

while read -r package name; do
	printf -- '-- %s %s\n' "$package" "$name"
	if out=$(run "$package" "$name" 2>&1); then
		printf '%s\n' "$out"
	elif grep -q 'context deadline exceeded' <<<"$out" && ! grep -q 'Failing input' <<<"$out"; then
		# On a busy machine go test sometimes takes the end of its own time for a failure of the target.
		printf '%s\n-- again\n' "$out"
		run "$package" "$name"
	else
		printf '%s\n' "$out"
		exit 1
	fi
done <<<"$targets"
