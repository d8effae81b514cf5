"""Answer tokens a second of the server at 1, 4 and 16 clients, beside one at a time and beside `transformers serve`.

Same weights, same requests (a picture and a question, sampled at temperature 1), one run, sides in turn and in
changing order; the median of the rounds and of their ratios. The end token is one that is never said, so that
every answer is as long as asked for on either side. By the wall clock, and by the processor time of a server and
its decoders, which says more where the machine has other work.

    python bench/serve_throughput.py [--tokens 32] [--requests 16] [--rounds 3] [--peer]
"""

import argparse
import base64
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from processor_time import processor_seconds

from viewfinder.processor.processor import Processor

PICTURE = Path(__file__).parent.parent / "examples" / "shapes.png"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(url: str, process: subprocess.Popen[Any], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise SystemExit(f"{url} ended before it was ready")
        try:
            if httpx.get(url, timeout=2).status_code < 500:
                return
        except httpx.HTTPError:
            time.sleep(0.2)
    raise SystemExit(f"{url} was not ready within {seconds} s")


def body(model: str, tokens: int, i: int) -> dict[str, Any]:
    uri = "data:image/png;base64," + base64.b64encode(PICTURE.read_bytes()).decode()
    content = [{"type": "image_url", "image_url": {"url": uri}}, {"type": "text", "text": f"Describe it, number {i}."}]
    limit = {"max_tokens": tokens, "temperature": 1.0}
    return {"model": model, "messages": [{"role": "user", "content": content}], **limit}


def run(side: "Side", clients: int, requests: int, tokens: int) -> dict[str, float]:
    """All requests by so many clients; answer tokens a second by two clocks, and the median time of a request."""
    todo = list(range(requests))
    lock = threading.Lock()
    times: list[float] = []
    made = 0

    def client() -> None:
        nonlocal made
        with httpx.Client(timeout=900) as http:
            while True:
                with lock:
                    if not todo:
                        return
                    i = todo.pop()
                start = time.perf_counter()
                answer = http.post(f"{side.url}/v1/chat/completions", json=body(side.model, tokens, i))
                answer.raise_for_status()
                usage = answer.json()["usage"]
                with lock:
                    times.append(time.perf_counter() - start)
                    made += usage["completion_tokens"]

    start, spent = time.perf_counter(), processor_seconds(side.process.pid)
    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - start
    return {
        "tokens_per_second": made / seconds,
        "tokens_per_processor_second": made / (processor_seconds(side.process.pid) - spent),
        "median_seconds": sorted(times)[len(times) // 2],
        "answer_tokens": made / requests,
    }


def start_ours(port: int, checkpoint: str, max_running: int) -> subprocess.Popen[Any]:
    command = [sys.executable, "-m", "viewfinder", "serve", "--model", checkpoint, "--name", "m", "--port", str(port)]
    return subprocess.Popen([*command, "--max-running", str(max_running)], stderr=subprocess.DEVNULL)


def start_peer(port: int, checkpoint: str) -> subprocess.Popen[Any]:
    command = [sys.executable, str(Path(__file__).parent / "peer_server.py"), "serve", checkpoint, "--port", str(port)]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen([*command, "--host", "127.0.0.1"], env=environment, **quiet)


def export(folder: str) -> str:
    """The built-in model as a directory in which nothing ends an answer."""
    checkpoint = f"{folder}/tiny"
    command = [sys.executable, "-m", "viewfinder", "export", checkpoint, "--dtype", "float32"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    path = Path(checkpoint) / "generation_config.json"
    never = Processor.from_pretrained(checkpoint).tokenizer.token_id("<|file_sep|>")
    path.write_text(json.dumps({**json.loads(path.read_text()), "eos_token_id": [never]}))
    return checkpoint


@dataclass(frozen=True)
class Side:
    """One of the servers that are compared."""

    name: str
    url: str
    model: str
    process: subprocess.Popen[Any]


def compare(sides: list[Side], given: argparse.Namespace) -> None:
    """One line for each number of clients and each side: medians, and the ratios of ours to it within a round."""
    for clients in (1, 4, 16):
        requests = max(clients, min(given.requests, 4 * clients))
        rounds: list[dict[str, dict[str, float]]] = []
        for i in range(given.rounds):
            order = sides if i % 2 == 0 else sides[::-1]
            rounds.append({side.name: run(side, clients, requests, given.tokens) for side in order})
        for name in (side.name for side in sides):
            figures = {key: statistics.median(each[name][key] for each in rounds) for key in rounds[0][name]}
            line: dict[str, Any] = {"name": name, "clients": clients, "requests": requests, **figures}
            for clock in ("", "processor_"):
                key = f"tokens_per_{clock}second"
                line[f"ours_times_by_{clock or 'wall_'}clock"] = statistics.median(
                    each["ours"][key] / each[name][key] for each in rounds
                )
            print(json.dumps({k: round(v, 3) if isinstance(v, float) else v for k, v in line.items()}), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", type=int, default=32)
    parser.add_argument("--requests", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peer", action="store_true", help="also transformers serve, which must be installed")
    given = parser.parse_args()
    processes: list[subprocess.Popen[Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = export(folder)
        ports = [free_port() for _ in range(3)]
        urls = [f"http://127.0.0.1:{port}" for port in ports]
        try:
            processes += [start_ours(ports[0], checkpoint, 16), start_ours(ports[1], checkpoint, 1)]
            sides = [Side("ours", urls[0], "m", processes[0]), Side("one at a time", urls[1], "m", processes[1])]
            if given.peer:
                processes.append(start_peer(ports[2], checkpoint))
                sides.append(Side("transformers serve", urls[2], checkpoint, processes[2]))
            for side in sides:
                path = "health" if side.name == "transformers serve" else "ready"
                wait_for(f"{side.url}/{path}", side.process, 900)
                run(side, 1, 1, given.tokens)  # first requests pay for what is made once
            compare(sides, given)
        finally:
            for process in processes:
                process.terminate()
                process.wait(60)


if __name__ == "__main__":
    main()
