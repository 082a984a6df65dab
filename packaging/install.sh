#!/usr/bin/env bash
# Installs or removes what `make install` installs.
#
#   install.sh install PROGRAMS    from the directory with the programs
#   install.sh uninstall           programs, pages and units, and configs that are as installed
#
# PREFIX is /usr/local unless set, SYSCONFDIR /etc, and DESTDIR a root to install into. No
# user is made and no unit enabled: docs/install.md has these steps.
set -euo pipefail

cd "$(dirname "$0")/.."
prefix=${PREFIX:-/usr/local}
sysconfdir=${SYSCONFDIR:-/etc}
root=${DESTDIR:-}
programs=(rolecast rolecast-dispatcher rolecast-worker)
# Where a make of the programs left their pages and completions.
share=$(mktemp -d)
trap 'rm -rf "$share"' EXIT

# Installs file $1 as $2 with mode $3; a unit gets the paths of this installation.
put() {
  mkdir -p "$root$(dirname "$2")"
  case $1 in
  *.service)
    sed -e "s|/usr/bin/|$prefix/bin/|" -e "s|/etc/rolecast/|$sysconfdir/rolecast/|" "$1" >"$share/unit"
    install -m "$3" "$share/unit" "$root$2"
    ;;
  *) install -m "$3" "$1" "$root$2" ;;
  esac
}

# Installs config $1 as $2, unless there is one.
put_config() {
  if [[ -e $root$2 ]]; then
    echo "kept $root$2"
  else
    put "$1" "$2" 0644
  fi
}

# Calls $1 with source, target and mode of each file but the configs and what is generated.
each_file() {
  local name
  for name in "${programs[@]}"; do "$1" "$from/$name" "$prefix/bin/$name" 0755; done
  for name in dispatcher worker; do
    "$1" "packaging/systemd/rolecast-$name.service" "$prefix/lib/systemd/system/rolecast-$name.service" 0644
    "$1" "packaging/sysusers/rolecast-$name.conf" "$prefix/lib/sysusers.d/rolecast-$name.conf" 0644
  done
  "$1" packaging/systemd/run-as.conf "$prefix/share/doc/rolecast/run-as.conf" 0644
  "$1" LICENSE "$prefix/share/doc/rolecast/LICENSE" 0644
}

# Calls $1 with source and target of each config.
each_config() {
  "$1" dispatcher/src/sample.toml "$sysconfdir/rolecast/rolecast.toml"
  "$1" worker/src/sample.toml "$sysconfdir/rolecast/worker.toml"
}

drop() {
  rm -f "$root$2"
}

drop_config() {
  if [[ ! -e $root$2 ]]; then
    return
  elif cmp -s "$1" "$root$2"; then
    rm "$root$2"
  else
    echo "left $root$2, which was changed"
  fi
}

case "${1:-}" in
install)
  from=${2:?the directory with the programs}
  each_file put
  each_config put_config
  "$from/rolecast" manual --out "$share/share" >/dev/null
  (cd "$share/share" && find . -type f) | while read -r file; do
    put "$share/share/$file" "$prefix/share/${file#./}" 0644
  done
  ;;
uninstall)
  # The installed command knows the pages of its version.
  if [[ -x $root$prefix/bin/rolecast ]]; then
    "$root$prefix/bin/rolecast" manual --out "$share/share" | while read -r file; do
      rm -f "$root$prefix/share/$file"
    done
  fi
  from=
  each_file drop
  each_config drop_config
  for directory in "$sysconfdir/rolecast" "$prefix/share/doc/rolecast"; do
    rmdir "$root$directory" 2>/dev/null || true
  done
  ;;
*)
  echo "usage: install.sh install PROGRAMS | uninstall" >&2
  exit 2
  ;;
esac
