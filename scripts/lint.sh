#!/usr/bin/env bash
# go vet, gofumpt and staticcheck over the module; the tools' versions are pinned in tools/go.mod.
set -euo pipefail
cd "$(dirname "$0")/.."
go vet ./...
(cd e2e/grpc && go vet ./...) # a module of its own
(cd e2e/sdks/go && go vet ./...)
mkdir -p .cache
(cd tools && GOFLAGS= go build -o ../.cache/ mvdan.cc/gofumpt honnef.co/go/tools/cmd/staticcheck)
unformatted=$(git ls-files -co --exclude-standard -- '*.go' | xargs -r .cache/gofumpt -l)
if [ -n "$unformatted" ]; then
  printf 'not formatted (run .cache/gofumpt -w on them):\n%s\n' "$unformatted" >&2
  exit 1
fi
.cache/staticcheck ./...
(cd e2e/grpc && ../../.cache/staticcheck ./...)
(cd e2e/sdks/go && ../../../.cache/staticcheck ./...)
