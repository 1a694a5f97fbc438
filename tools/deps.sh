#!/usr/bin/env bash
# deps.sh: install what the tests need and is not there yet. Takes no time when all is there.
# SKIP_DEPS=1 leaves the machine as it is; tests then fail or skip as they say.
set -euo pipefail
cd "$(dirname "$0")/.."
go=${GO:-go}

fail() {
	printf 'make deps: %s\n' "$1" >&2
	exit 1
}

[ -z "${SKIP_DEPS:-}" ] || exit 0
command -v "$go" >/dev/null || fail 'install Go 1.26 or newer first'

# What each is for:
packages=(
	ca-certificates    # fetching modules
	curl               # a full client for reading and publishing
	nginx haproxy      # streams through real proxies
	python3-websockets # an independent WebSocket client
	netcat-openbsd     # lines over TCP by hand
	openssl            # the same over TLS
	iproute2           # network namespaces
	chromium           # the pages in a real browser
)
command -v cc >/dev/null || packages+=(gcc libc6-dev) # the race detector links by cgo
command -v node >/dev/null || packages+=(nodejs)      # npm's ws and eventsource
command -v npm >/dev/null || packages+=(npm)

missing=()
if command -v dpkg-query >/dev/null; then
	for p in "${packages[@]}"; do
		[ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null || true)" = installed ] || missing+=("$p")
	done
else
	fail "this is not Debian; install what these packages hold (${packages[*]}), then: make test SKIP_DEPS=1"
fi

if [ ${#missing[@]} -gt 0 ]; then
	as_root=()
	if [ "$(id -u)" -ne 0 ]; then
		command -v sudo >/dev/null || fail "as root: apt-get install ${missing[*]}"
		as_root=(sudo)
	fi
	echo "installing ${missing[*]}"
	# At run level 1 the packages do not start their services: tests start their own, on ports of their own.
	apt() { "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get -qq -o Dpkg::Use-Pty=0 "$@"; }
	apt update || fail 'apt-get update failed'
	apt install -y --no-install-recommends "${missing[@]}" >/dev/null || fail "apt-get install ${missing[*]} failed"
fi

# npm ci starts afresh each time, so it runs only when the lock has changed since.
stamp=internal/interop/node_modules/.installed
if ! cmp -s internal/interop/package-lock.json "$stamp"; then
	echo 'npm ci in internal/interop'
	(cd internal/interop && npm ci --no-audit --no-fund --loglevel=error)
	cp internal/interop/package-lock.json "$stamp"
fi
echo 'all there'
