#!/usr/bin/env bash
# Rewrites what is generated: docs/configuration.md, docs/failures.md and the golden files of tests.
set -euo pipefail
cd "$(dirname "$0")/.."
for dir in $(grep -rlE 'flag\.Bool\("update"' --include='*_test.go' . | xargs -r -n1 dirname | sort -u); do
  echo "== $dir"
  go test "$dir" -count=1 -update
done
