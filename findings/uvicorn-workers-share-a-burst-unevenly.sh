#!/usr/bin/env bash
# Question: how does `uvicorn --workers 2` share 16 connections that come at once, as of a client that opens a pool?
# Guess:    about evenly, 8 to 8; by pure chance the busier worker would have 10.
# Versions: uvicorn 0.54.0, h11 0.16.0, CPython's asyncio, Linux.
# Seen:     the busier worker takes 14 on average, and all 16 in a quarter to two thirds of the bursts. The workers share one
#           listening socket, and asyncio accepts whatever waits (up to the backlog) before anything else, so the worker that
#           wakes first has most. With 4 workers and 64 connections the busiest has more than twice its share. For answers
#           that take seconds of a GPU each, half of the machine does nothing; a supervisor that hands each connection to the
#           worker with the fewest does not have this.
set -euo pipefail
folder=$(mktemp -d); trap 'kill $(jobs -p) 2> "$folder/null" || true; rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q uvicorn==0.54.0 h11==0.16.0
sed -n 's/^# //p' "$0" | sed '/^!/d'
cat > "$folder/app.py" <<'PY'
import os

ME = str(os.getpid()).encode()


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while (message := await receive())["type"] != "lifespan.shutdown":
            await send({"type": f"{message['type']}.complete"})
        return await send({"type": "lifespan.shutdown.complete"})
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(ME))]})
    await send({"type": "http.response.body", "body": ME})
PY
cat > "$folder/bursts.py" <<'PY'
import collections
import contextlib
import socket
import statistics
import sys
import time

WORKERS, CONNECTIONS, PORT = (int(value) for value in sys.argv[1:4])


def busiest():
    """Share of the busiest worker in one burst of connections that stay open."""
    with contextlib.ExitStack() as held:
        burst = [held.enter_context(socket.create_connection(("127.0.0.1", PORT))) for _ in range(CONNECTIONS)]
        for one in burst:
            one.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        names = [one.recv(4096).rpartition(b"\r\n\r\n")[2] for one in burst]
    time.sleep(0.05)
    return max(collections.Counter(names).values()) / CONNECTIONS


deadline = time.monotonic() + 60
while True:
    with contextlib.suppress(OSError):
        socket.create_connection(("127.0.0.1", PORT)).close()
        break
    assert time.monotonic() < deadline
    time.sleep(0.1)
time.sleep(3)  # for the last worker
shares = [busiest() for _ in range(51)]
print(f"{WORKERS} workers, {CONNECTIONS} connections: the busiest has {100 * statistics.mean(shares):.0f} % on average,")
print(f"{100 * statistics.median(shares):.0f} % in the median burst, all of them in {sum(s == 1 for s in shares)} of 51")
assert statistics.mean(shares) > 1.3 / WORKERS, "they are shared evenly now"
PY
for case in "2 16" "4 64"; do
    port=$(python3 -c "import socket; s = socket.socket(); s.bind(('127.0.0.1', 0)); print(s.getsockname()[1])")
    (cd "$folder" && exec "$folder/venv/bin/python" -m uvicorn app:app --workers "${case% *}" --port "$port" --log-level error) &
    # shellcheck disable=SC2086
    "$folder/venv/bin/python" "$folder/bursts.py" $case "$port"
    kill %%; wait || true
done
echo "as seen before"
