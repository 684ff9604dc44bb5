#!/usr/bin/env bash
# need.sh COMMAND...: makes sure that each command is installed, from Debian's packages where it is not.
set -euo pipefail
declare -A package=(
  [nginx]=nginx-light [haproxy]=haproxy [node]=nodejs [npm]=npm [curl]=curl [chromium]=chromium
  [nghttp]=nghttp2-client [python3]=python3
)
missing=()
have() {
  case "$1" in
    python3-*) [ -x /usr/bin/python3 ] && /usr/bin/python3 -c "import ${1#python3-}" 2>/dev/null ;;
    *) command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ] ;;
  esac
}
for c in "$@"; do have "$c" || missing+=("${package[$c]:-$c}"); done
[ ${#missing[@]} -eq 0 ] && exit 0
if ! command -v apt-get >/dev/null 2>&1 || [ "$(id -u)" != 0 ]; then
  echo "missing: ${missing[*]} (names of Debian's packages); install them and try again" >&2
  exit 1
fi
echo "installing ${missing[*]}" >&2
export DEBIAN_FRONTEND=noninteractive
# A packaged server must not start by itself and take a port.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod +x "$policy"
  trap 'rm -f "$policy"' EXIT
fi
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
for c in "$@"; do have "$c" || { echo "$c is still missing after installing ${missing[*]}" >&2; exit 1; }; done
