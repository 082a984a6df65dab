#!/usr/bin/env bash
# Installs the Debian packages of directory $1 in a Debian system of its own, runs a job
# there, and removes them: packaging/test-install-inside.sh has the steps.
#
# It needs root, debootstrap and the network. With systemd-nspawn (package
# systemd-container) the system is booted, and systemd starts the units; else the programs
# are started by hand in a chroot.
set -euo pipefail

cd "$(dirname "$0")/.."
packages=$(cd "${1:?the directory with the packages}" && pwd)
suite=bookworm
base=.tools/debian-$suite
# Booting, the steps with their waits for watchdogs, and a slow machine.
limit=300

if ((EUID != 0)); then
  echo "test-install needs root" >&2
  exit 1
fi
for tool in debootstrap chroot; do
  if ! command -v "$tool" >/dev/null; then
    echo "$tool is missing: apt-get install $tool" >&2
    exit 1
  fi
done
server=.tools/python/bin/nats-server
if ! [[ -x $server ]]; then server=$(command -v nats-server); fi

if ! [[ -d $base ]]; then
  echo "fetching a Debian system into $base"
  rm -rf "$base.partial"
  debootstrap --variant=minbase --include=systemd,systemd-sysv "$suite" "$base.partial" >"$base.log" 2>&1 || {
    tail -n 5 "$base.log" >&2
    exit 1
  }
  mv "$base.partial" "$base"
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
cp -a "$base" "$root"
mkdir "$root/test"
for package in rolecast rolecast-dispatcher rolecast-worker; do
  found=("$packages/${package}_"*.deb)
  # The newest, if there are several.
  cp "$(ls -t "${found[@]}" | head -n 1)" "$root/test/$package.deb"
done
cp "$(readlink -f "$server")" "$root/test/nats-server"
cp packaging/test-install-inside.sh "$root/test/inside.sh"
# A login of the dispatcher in a file that only root can read: an nkey.
key=$work/key.pem
openssl genpkey -algorithm ed25519 -out "$key"
python3 - "$root/test" <(openssl pkey -in "$key" -outform DER) <(openssl pkey -in "$key" -pubout -outform DER) <<'PYTHON'
import base64, binascii, sys
from pathlib import Path

def encode(prefix, key):
    data = bytes(prefix) + key
    check = binascii.crc_hqx(data, 0).to_bytes(2, "little")
    return base64.b32encode(data + check).rstrip(b"=")

directory, seed, public = (Path(path) for path in sys.argv[1:])
# The raw keys are the last 32 bytes. The prefixes are those of users, as NATS defines them.
(directory / "dispatcher.seed").write_bytes(encode([149, 0], seed.read_bytes()[-32:]))
(directory / "dispatcher.public").write_bytes(encode([160], public.read_bytes()[-32:]))
PYTHON

if command -v systemd-nspawn >/dev/null; then
  cat >"$root/etc/systemd/system/rolecast-test.service" <<'UNIT'
[Unit]
After=multi-user.target
[Service]
Type=oneshot
ExecStart=/bin/bash /test/inside.sh
StandardOutput=file:/test/log
StandardError=inherit
ExecStopPost=/bin/systemctl --no-block exit
UNIT
  mkdir -p "$root/etc/systemd/system/graphical.target.wants"
  ln -s ../rolecast-test.service "$root/etc/systemd/system/graphical.target.wants/"
  # The console of the container is of no interest unless it did not boot.
  timeout "$limit" systemd-nspawn --quiet --directory="$root" --machine=rolecast-test \
    --register=no --keep-unit --boot >"$work/console" 2>&1 </dev/null || true
  if ! [[ -s $root/test/log ]]; then tail -n 20 "$work/console" >&2; fi
else
  echo "systemd-nspawn is missing (apt-get install systemd-container): no unit is started"
  mount -t proc proc "$root/proc"
  trap 'umount "$root/proc"; rm -rf "$work"' EXIT
  timeout "$limit" chroot "$root" /bin/bash /test/inside.sh >"$root/test/log" 2>&1 || true
fi
cat "$root/test/log"
if ! grep -qx "all steps passed" "$root/test/log"; then
  echo "test-install failed" >&2
  exit 1
fi
