#!/usr/bin/env bash
# Reports whether the tests of the page have a browser; `install` gets Debian's, where that
# is possible. Never fails: without a browser these tests are skipped.
set -uo pipefail

has_browser() {
  command -v chromedriver >/dev/null && command -v chromium >/dev/null
}

# Bounded: a mirror that does not answer must not stop a check.
install() {
  command -v apt-get >/dev/null && [ "$(id -u)" = 0 ] || return 1
  timeout 60 apt-get update -qq >/dev/null 2>&1
  DEBIAN_FRONTEND=noninteractive timeout 300 \
    apt-get install -y -qq --no-install-recommends chromium chromium-driver >/dev/null 2>&1
}

if [ "${1:-}" = install ] && ! has_browser; then
  install || install || true
fi
if ! has_browser; then
  echo "no chromium and chromedriver on PATH: the tests of the page in a browser are skipped"
  echo "(on Debian, as root: apt-get install chromium chromium-driver)"
fi
