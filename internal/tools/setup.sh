#!/bin/sh
# Sees to it that what `make test` needs is there: Go, and a C compiler for the race detector. As root on a Debian it
# installs a missing compiler; everywhere else it says in one sentence what to install. It changes nothing else.
set -eu

stop() {
	echo "joist: $1" >&2
	exit 1
}

command -v go >/dev/null ||
	stop "Go 1.26 or newer is needed and there is no 'go' on the PATH: install it as https://go.dev/doc/install says."
version=$(go env GOVERSION 2>/dev/null) || version=$(go version)
minor=$(echo "$version" | sed -n 's/.*go1\.\([0-9]\{1,\}\).*/\1/p')
[ "${minor:-0}" -ge 26 ] ||
	stop "Go 1.26 or newer is needed and this is $version: install a newer one as https://go.dev/doc/install says."

cc=$(go env CC)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# compiles tells whether there is a compiler, a linker and the C library's headers; -race needs all three.
compiles() {
	printf '#include <stdlib.h>\nint main(void) { return EXIT_SUCCESS; }\n' >"$work/probe.c"
	# shellcheck disable=SC2086 # CC may hold arguments
	$cc -o "$work/probe" "$work/probe.c" >"$work/log" 2>&1
}

compiles && exit 0

case $(uname -s) in
Linux) ;;
Darwin) stop "The race detector needs a C compiler and '$cc' compiles nothing: run 'xcode-select --install'." ;;
*) stop "The race detector needs a C compiler and '$cc' compiles nothing: install gcc." ;;
esac
command -v apt-get >/dev/null ||
	stop "The race detector needs a C compiler and '$cc' compiles nothing: install gcc and the C library's headers."
[ "$(id -u)" -eq 0 ] ||
	stop "The race detector needs a C compiler and '$cc' compiles nothing: run 'sudo apt-get install gcc libc6-dev'."

echo "joist: installing gcc and libc6-dev for the race detector"
export DEBIAN_FRONTEND=noninteractive
{
	apt-get update -qq &&
		apt-get install -y -qq --no-install-recommends gcc libc6-dev
} </dev/null >"$work/log" 2>&1 || stop "apt-get could not install gcc and libc6-dev: install them, then try again."
compiles || stop "gcc and libc6-dev are installed, and still '$cc' compiles nothing: see what 'go env CC' should be."
