#!/usr/bin/env bash
# Fuzzes each target for a minute: with cargo-fuzz where it and a nightly compiler are
# installed, else with the program `fuzz`, which needs neither and knows no coverage.
#
#   fuzz.sh PROGRAM [FLAGS]   PROGRAM is the built `fuzz`; flags are its own
set -euo pipefail

program=$(realpath "$1")
shift
cd "$(dirname "$0")/../.."
seconds=60
if [[ $# -gt 0 ]] || ! cargo +nightly fuzz --version >/dev/null 2>&1; then
  echo "fuzzing with $(basename "$program"), without coverage"
  exec "$program" "$@"
fi
echo "fuzzing with cargo-fuzz"
# The same versions as in the workspace.
cp Cargo.lock tests/fuzz/Cargo.lock
"$program" --write-seeds tests/fuzz/seeds
for source in tests/fuzz/fuzz_targets/*.rs; do
  target=$(basename "$source" .rs)
  corpus=(tests/fuzz/found/"$target" tests/fuzz/seeds/"$target")
  mkdir -p "${corpus[0]}"
  if [[ -d tests/fuzz/corpus/$target ]]; then corpus+=(tests/fuzz/corpus/"$target"); fi
  # No crate of ours has unsafe code, so panics are all that can be found.
  cargo +nightly fuzz run -s none --fuzz-dir tests/fuzz "$target" "${corpus[@]}" -- \
    -max_total_time=$seconds
done
