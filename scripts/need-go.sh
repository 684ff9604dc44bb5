#!/usr/bin/env bash
# Makes sure that a Go toolchain is here: any Go from 1.21 on fetches the one that go.mod names.
set -euo pipefail
if command -v go >/dev/null 2>&1; then exit 0; fi
if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
  echo "installing Go from the distribution's packages" >&2
  apt-get update -qq && apt-get install -y -qq golang-go >/dev/null && exit 0
fi
echo "Go is missing: install Go 1.26 or later (your distribution's package, or the archive from the Go project) and run make again" >&2
exit 1
