#!/usr/bin/env bash
# empty.sh ADVICE COMMAND…: run a command that must succeed and print nothing; otherwise show what it printed.
set -uo pipefail
advice=$1
shift
out=$("$@" 2>&1)
code=$?
if [ $code -ne 0 ] || [ -n "$out" ]; then
	printf '%s\n%s: %s\n' "$out" "$*" "$advice" >&2
	exit 1
fi
