#!/usr/bin/env bash
# Checks what we depend on, as deny.toml says: licences, duplicates, sources, known holes.
#
# Where cargo-deny is not there, or the database of advisories is out of reach, a line
# says what was not checked.
set -euo pipefail

cd "$(dirname "$0")/../.."
PATH="$PWD/.tools/deny/bin:$PATH"
if ! cargo deny --version >/dev/null 2>&1; then
  echo "cargo-deny is not there: dependencies are not checked (tests/tools/fetch.sh deny fetches it)"
  exit
fi
cargo deny --locked check --hide-inclusion-graph licenses bans sources
# Out of reach may mean that nothing answers at all; macOS has no timeout.
limit=()
if command -v timeout >/dev/null; then limit=(timeout 60); fi
if ${limit[@]+"${limit[@]}"} cargo deny fetch db >/dev/null 2>&1; then
  cargo deny --locked check --disable-fetch advisories
else
  echo "the database of advisories is out of reach: advisories are not checked"
fi
