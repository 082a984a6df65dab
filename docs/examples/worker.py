"""A complete Rolecast worker for jobs of the category `shout`; see docs/protocol.md."""
import asyncio, functools, os, resource, signal, sys, time, uuid
import msgpack, nats

CATEGORY, AT_ONCE, GRACE_SECONDS = "shout", 4, 30
CAPACITY = {"cpu": 2.0, "memory": 2**30}  # what this process may use: cores, bytes


async def attempt(payload):
    """Does the work and returns its outcome."""
    try:
        return {"status": "completed", "output": payload.decode().upper().encode()}
    except ValueError as error:  # it would always fail; "retry" if it may succeed another time
        return {"status": "give_up", "reason": str(error)}
    except asyncio.CancelledError:
        return {"status": "handed_back", "reason": "the worker left before it finished"}


async def main(node):
    url, own = os.environ.get("NATS_URL", "nats://127.0.0.1:4222"), f"rolecast.node.{node}"
    # Answers arrive below our own subject too: the worker needs no other subscription.
    nc = await nats.connect(url, inbox_prefix=f"{own}.inbox", max_reconnect_attempts=-1)
    stop, tasks, slots, epoch = asyncio.Event(), set(), asyncio.Semaphore(AT_ONCE), 0
    in_hand = {}  # (job, attempt): its assignment, until its outcome is confirmed
    async def serve(message):
        nonlocal epoch
        _, _, _, sender, category, job, number, _ = message.reply.split(".", 7)
        key, outcome, start = (job, number), {"v": 1, "status": "refused"}, time.time()
        epoch = max(epoch, int(sender))
        if int(sender) < epoch:
            key, outcome["reason"] = None, f"stale epoch {sender}"
        elif key in in_hand:
            return  # sent again, perhaps after a restart: one execution, one outcome
        elif stop.is_set() or category != CATEGORY or slots.locked():
            outcome["reason"] = f"no room for a {category} job here"
        else:
            in_hand[key] = message.reply.split(".", 3)[3]
            async with slots:
                outcome.update(await attempt(message.data), started_ms=int(start * 1000))
            outcome["run_us"] = int((time.time() - start) * 1e6)
        while True:  # until a dispatcher has confirmed it
            try:
                await nc.request(message.reply, msgpack.packb(outcome), timeout=2)
                return in_hand.pop(key, None)
            except nats.errors.Error:
                await asyncio.sleep(1)

    async def take(message):
        tasks.add(task := asyncio.ensure_future(serve(message)))
        task.add_done_callback(tasks.discard)

    async def beat(boot=uuid.uuid4().hex, cpu=0.0):
        while True:
            cpu, last = time.process_time(), cpu
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # KiB on Linux
            used = {"cpu": cpu - last, "memory": memory}
            state = {"v": 1, "node": node, "boot": boot, "seq": time.monotonic_ns(), "epoch": epoch}
            state.update(interval_ms=1000, roles=["follower"], draining=stop.is_set())
            state.update(capacity=CAPACITY, usage={"total": used, "jobs": used}, jobs_max=AT_ONCE)
            state.update(categories={CATEGORY: AT_ONCE}, jobs=list(in_hand.values()))
            if nc.is_connected:  # otherwise it would be sent late
                await nc.publish(f"rolecast.heartbeat.{node}", msgpack.packb(state))
            await asyncio.sleep(1)

    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await nc.subscribe(f"{own}.ping", cb=functools.partial(nats.aio.msg.Msg.respond, data=b""))
    jobs = await nc.subscribe(f"{own}.jobs", cb=take)
    _beats = asyncio.ensure_future(beat())
    await stop.wait()
    await jobs.drain()  # jobs sent after this have no listener, and go to other nodes
    for limit in (GRACE_SECONDS, 2):  # running jobs may end; then the rest is handed back
        if tasks:
            await asyncio.wait(tasks, timeout=limit)
        for task in tasks:
            task.cancel()
    await nc.drain()


asyncio.run(main(sys.argv[1]))
