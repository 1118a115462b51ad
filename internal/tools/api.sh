#!/bin/sh
# Shows how the exported API of the root module differs from that of a commit.
#
#   api.sh APIDIFF [COMMIT]
#
# APIDIFF is the program; COMMIT is the last release's tag when it is left out. Version 0 may change its API; this makes
# sure that nobody does so without seeing it.
set -eu

apidiff=$1
base=${2:-$(git describe --tags --abbrev=0 --match 'v[0-9]*' 2>/dev/null || true)}
if [ -z "$base" ]; then
	echo "api: there is no release to compare with yet; give a commit: make api BASE=<commit>"
	exit 0
fi

work=$(mktemp -d)
trap 'git worktree remove --force "$work/base" >/dev/null 2>&1 || true; rm -rf "$work"' EXIT
git worktree add --quiet --detach "$work/base" "$base"
module=$(go list -m)
(cd "$work/base" && "$apidiff" -m -w "$work/base.api" "$module")
"$apidiff" -m -w "$work/now.api" "$module"
echo "api: changes since $base"
"$apidiff" -m "$work/base.api" "$work/now.api"
