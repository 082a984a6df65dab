#!/usr/bin/env bash
# Builds the Debian packages from the programs of a release in directory $1/release.
set -euo pipefail

cd "$(dirname "$0")/.."
target=$(cd "${1:?the directory of cargo}" && pwd)
PATH="$PWD/.tools/deb/bin:$PATH"
packages=(rolecast rolecast-dispatcher rolecast-worker)
share=$target/release/share

rm -rf "$share"
"$target/release/rolecast" manual --out "$share" >/dev/null
find "$share/man" -type f -exec gzip -9n {} +
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)
maintainer=$(sed -n 's/^maintainer = "\(.*\)"/\1/p' cli/Cargo.toml)
for package in "${packages[@]}"; do
  mkdir -p "$share/doc/$package"
  gzip -9n >"$share/doc/$package/changelog.Debian.gz" <<CHANGELOG
$package ($version-1) unstable; urgency=medium

  * The changes are in CHANGELOG.md of the source.

 -- $maintainer  $(git log -1 --format=%cD 2>/dev/null || date -R)
CHANGELOG
  cargo deb --no-build --locked --package "$package"
done
