"""A complete Rolecast producer: submits a job and waits for its recorded outcome.

    NATS_URL=nats://host:4222 python3 producer.py CATEGORY PAYLOAD [--id ID]
        [--deadline 90s] [--delay 5s] [--priority high|low]

Needs nats-py and msgpack. See docs/protocol.md.
"""
import argparse, asyncio, os, sys, uuid

import msgpack, nats
from nats.js.errors import NotFoundError


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("category")
    parser.add_argument("payload")
    parser.add_argument("--id", default=uuid.uuid4().hex, help="names the job; one job per id")
    parser.add_argument("--deadline", help="when it is no longer wanted: 90s, or RFC 3339")
    parser.add_argument("--delay", help="how long after submission it may start: 5s")
    parser.add_argument("--priority", choices=["high", "low"])
    return parser.parse_args()


async def submit(js, job):
    """Stores the job. A repetition is safe: the stream drops a second job with the same id."""
    subject = f"rolecast.jobs.{job.category}" + (f".{job.priority}" if job.priority else "")
    headers = {"Nats-Msg-Id": job.id}
    if job.deadline:
        headers["Rolecast-Deadline"] = job.deadline
    if job.delay:
        headers["Rolecast-Delay"] = job.delay
    for tries_left in (2, 1, 0):
        try:
            return await js.publish(subject, job.payload.encode(), headers=headers)
        except nats.errors.Error:
            if not tries_left:
                raise
            await asyncio.sleep(1)


async def outcome(js, hints, subject):
    """Returns the record. Only the stream is authoritative; the message is a hint."""
    while True:
        try:
            stored = await js.get_last_msg("ROLECAST_RESULTS", subject, direct=True)
            return msgpack.unpackb(stored.data)
        except NotFoundError:
            pass
        try:
            await hints.next_msg(timeout=5)
        except nats.errors.TimeoutError:
            pass  # hints can be lost, so read the stream again


async def main(job):
    url, inbox = os.environ.get("NATS_URL", "nats://127.0.0.1:4222"), "NATS_INBOX_PREFIX"
    nc = await nats.connect(url, inbox_prefix=os.environ.get(inbox, "_INBOX"))
    js, subject = nc.jetstream(), f"rolecast.results.{job.id}"
    hints = await nc.subscribe(subject)
    await submit(js, job)
    record = await outcome(js, hints, subject)
    await nc.close()
    print(f"{record['status']} on {record.get('node', 'no node')}: {record.get('reason', '')}")
    print(record.get("output", b"").decode(errors="replace"))
    return 0 if record["status"] == "completed" else 1


sys.exit(asyncio.run(main(arguments())))
