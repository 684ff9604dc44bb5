#!/usr/bin/env bash
# Every test, as continuous integration runs them: lint, the packages with the race detector, then
# the program as a black box. Says what each part took.
set -euo pipefail
cd "$(dirname "$0")/.."
begun=$SECONDS
part() { # part NAME COMMAND...: runs it and says how long it took
  local name=$1 from=$SECONDS
  shift
  echo "== $name"
  "$@"
  echo "== $name took $((SECONDS - from)) s"
}
unit() {
  go build -o .cache/gotest ./scripts/gotest
  # shellcheck disable=SC2046
  go test -race -json -timeout 40m $(go list ./... | grep -v '/e2e') | .cache/gotest "unit"
}
e2e() {
  (cd e2e/sdk && npm ci --no-audit --no-fund --loglevel=error)
  (cd e2e/sdks && npm ci --no-audit --no-fund --ignore-scripts --loglevel=error)
  (cd e2e/exchanges && npm ci --no-audit --no-fund --loglevel=error)
  CAUSEWAY_BIN=$PWD/bin/causeway go test -json -count=1 -timeout 40m ./e2e/... | .cache/gotest "e2e"
}
mkdir -p .cache
part "go" scripts/need-go.sh
part "what the tests need" scripts/need.sh nginx haproxy apache2 gunicorn node npm curl nghttp chromium python3 python3-requests python3-httpx python3-h2 python3-aiohttp redis-server
part "build" make build
part "lint" scripts/lint.sh
part "unit tests" unit
part "end-to-end tests" e2e
echo "all of it took $((SECONDS - begun)) s"
