"""Answer tokens a second and time to the first token of the server, beside `transformers serve` and vLLM's CPU build.

Same weights, same requests (a picture and a question, sampled at temperature 1), one run, sides in turn and in
changing order; medians of the rounds and of their ratios. By the wall clock, and by the processor time of a server and
its decoders, which says more where the machine has other work. No two pictures are the same, so no side answers from
what it has seen. Clients and bodies are made before the clock starts: a new `httpx.Client` takes 27 ms of a processor.
Servers that are not asked are stopped meanwhile (SIGSTOP): vLLM takes a third of a core when it has nothing to do.
The end token is one that is never said, so that every answer is as long as asked for on every side. First each side
answers greedily what this package's engine answers without a server: `equal` is how many of the answers are the same
but for white space at their ends, which `transformers serve` 5.24 cuts off (`utils/chat_parsing/content_parsers.py`).

    python bench/serve_throughput.py [--clients 1 4 16 64] [--tokens 32] [--requests 16] [--rounds 3]
        [--transformers PYTHON] [--vllm PYTHON]      # interpreters of environments that have them
        [--old FOLDER]                               # a checkout of another build of this package
        [--workers N]                                # ours as so many servers behind one port

With none of them, ours beside itself with one request at a time.
"""

import argparse
import base64
import io
import itertools
import json
import os
import signal
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
from PIL import Image
from processor_time import processes_of, processor_seconds

from viewfinder.processor.processor import Processor

QUIET: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
ROOT = Path(__file__).parent.parent
PICTURE = ROOT / "examples" / "shapes.png"
NUMBERS = itertools.count(4)
"""Of requests; those before are asked greedily."""


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


def picture(i: int) -> bytes:
    """The picture of request `i`: each has one pixel of its own."""
    file = io.BytesIO()
    with Image.open(PICTURE) as image:
        image.putpixel((i % image.width, i // image.width % image.height), (i % 251, 0, 0))
        image.save(file, "PNG")
    return file.getvalue()


def body(model: str, tokens: int, i: int) -> dict[str, Any]:
    uri = "data:image/png;base64," + base64.b64encode(picture(i)).decode()
    content = [{"type": "image_url", "image_url": {"url": uri}}, {"type": "text", "text": f"Describe it, number {i}."}]
    limit = {"max_tokens": tokens, "temperature": 1.0}
    if model == "m":  # transformers serve does not know it; here it also keeps an answer in circles going
        limit["ignore_eos"] = True
    return {"model": model, "messages": [{"role": "user", "content": content}], **limit}


def ask(http: httpx.Client, side: "Side", given: dict[str, Any]) -> tuple[float, int]:
    """Seconds to the first text of a streamed answer, and its pieces."""
    start, first, pieces = time.perf_counter(), 0.0, 0
    with http.stream("POST", f"{side.url}/v1/chat/completions", json={**given, "stream": True}) as answer:
        answer.raise_for_status()
        for line in answer.iter_lines():
            choices = json.loads(line[6:])["choices"] if line.startswith("data: {") else ()
            if any(choice["delta"].get("content") for choice in choices):
                first, pieces = first or time.perf_counter() - start, pieces + 1
    return first, pieces


def run(side: "Side", clients: int, requests: int, tokens: int) -> dict[str, float]:
    """All requests by so many clients; answer tokens a second by two clocks, and the median time to the first."""
    todo = [body(side.model, tokens, next(NUMBERS)) for _ in range(requests)]
    lock = threading.Lock()
    firsts: list[float] = []

    def client(http: httpx.Client) -> None:
        with http:
            while True:
                with lock:
                    if not todo:
                        return
                    given = todo.pop()
                first, _ = ask(http, side, given)
                with lock:
                    firsts.append(first)

    threads = [threading.Thread(target=client, args=[httpx.Client(timeout=900, verify=False)]) for _ in range(clients)]
    start, spent = time.perf_counter(), processor_seconds(side.process.pid)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds, made = time.perf_counter() - start, tokens * requests
    assert len(firsts) == requests, f"{side.name} did not answer {requests - len(firsts)} requests"
    return {
        "tokens_per_second": made / seconds,
        "tokens_per_processor_second": made / (processor_seconds(side.process.pid) - spent),
        "median_first_seconds": statistics.median(firsts),
    }


def check(side: "Side", tokens: int, oracle: list[str]) -> None:
    """Answers are as long as asked for; how many greedy ones are those of the engine without a server."""
    with httpx.Client(timeout=900) as http:
        answers = [
            http.post(
                f"{side.url}/v1/chat/completions", json={**body(side.model, tokens, i), "temperature": 0.0}
            ).json()
            for i in range(len(oracle))
        ]
    lengths = {answer["usage"]["completion_tokens"] for answer in answers}
    assert lengths == {tokens}, f"{side.name} answered with {lengths} tokens, expected {tokens}"
    texts = [answer["choices"][0]["message"]["content"] for answer in answers]
    same = sum(text.strip() == said.strip() for text, said in zip(texts, oracle, strict=True))
    print(json.dumps({"name": side.name, "greedy answers": len(oracle), "equal": same}), flush=True)


def oracle_answers(checkpoint: str, tokens: int, count: int) -> list[str]:
    """What the engine says to the first requests, one after the other, in a process of its own."""
    code = (
        "import json, sys, viewfinder\n"
        "from viewfinder.messages import Sampling\n"
        "model = viewfinder.load(sys.argv[1])\n"
        "sampling = Sampling(temperature=0, max_new_tokens=int(sys.argv[2]), ignore_eos=True)\n"
        "asks = [f'Describe it, number {i}.' for i in range(int(sys.argv[3]))]\n"
        "paths = [f'{sys.argv[1]}/{i}.png' for i in range(len(asks))]\n"
        "answers = [model.ask(path, ask, sampling=sampling) for path, ask in zip(paths, asks)]\n"
        "print(json.dumps([str(answer) for answer in answers]))"
    )
    for i in range(count):
        Path(checkpoint, f"{i}.png").write_bytes(picture(i))
    command = [sys.executable, "-c", code, checkpoint, str(tokens), str(count)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def start_ours(port: int, checkpoint: str, *more: str, root: Path = ROOT) -> subprocess.Popen[Any]:
    command = [sys.executable, "-m", "viewfinder", "serve", "--model", checkpoint, "--name", "m", "--port", str(port)]
    return subprocess.Popen([*command, *more], cwd=root, env={**os.environ, "PYTHONPATH": str(root)}, **QUIET)


def start_transformers(port: int, checkpoint: str, python: str) -> subprocess.Popen[Any]:
    command = [python, str(Path(__file__).parent / "peer_server.py"), "serve", checkpoint, "--port", str(port)]
    return subprocess.Popen([*command, "--host", "127.0.0.1"], env={**os.environ, "HF_HUB_OFFLINE": "1"}, **QUIET)


def start_vllm(port: int, checkpoint: str, python: str) -> subprocess.Popen[Any]:
    command = [python, "-m", "vllm.entrypoints.openai.api_server", "--model", checkpoint, "--dtype", "float32"]
    command += ["--served-model-name", "m", "--port", str(port), "--host", "127.0.0.1", "--max-model-len", "2048"]
    command += ["--limit-mm-per-prompt", '{"image": 1, "video": 0}']
    settings = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1", "HF_HUB_OFFLINE": "1"}
    cores = os.sched_getaffinity(0)
    settings["VLLM_CPU_OMP_THREADS_BIND"] = f"{min(cores)}-{max(cores)}"  # by itself it leaves a core unused
    return subprocess.Popen(command, env={**os.environ, **settings}, **QUIET)


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
    path: str = "health"


def run_alone(side: Side, sides: list[Side], clients: int, requests: int, tokens: int) -> dict[str, float]:
    """As `run`, while the processes of the other sides stand still."""
    others = [pid for other in sides if other is not side for pid in processes_of(other.process.pid)]
    for pid in others:
        os.kill(pid, signal.SIGSTOP)
    try:
        return run(side, clients, requests, tokens)
    finally:
        for pid in others:
            os.kill(pid, signal.SIGCONT)


def compare(sides: list[Side], given: argparse.Namespace) -> None:
    """One line for each number of clients and each side: medians, and the ratios of ours to it within a round."""
    for clients in given.clients:
        requests = max(clients, min(given.requests, 4 * clients))
        rounds: list[dict[str, dict[str, float]]] = []
        for i in range(given.rounds):
            order = sides if i % 2 == 0 else sides[::-1]
            rounds.append({side.name: run_alone(side, sides, clients, requests, given.tokens) for side in order})
        for name in (side.name for side in sides):
            figures = {key: statistics.median(each[name][key] for each in rounds) for key in rounds[0][name]}
            line: dict[str, Any] = {"name": name, "clients": clients, "requests": requests, **figures}
            for clock in ("", "processor_"):
                key = f"tokens_per_{clock}second"
                line[f"ours_times_by_{clock or 'wall_'}clock"] = statistics.median(
                    each["ours"][key] / each[name][key] for each in rounds
                )
            key = "median_first_seconds"
            line["first_token_to_ours"] = statistics.median(each[name][key] / each["ours"][key] for each in rounds)
            print(json.dumps({k: round(v, 3) if isinstance(v, float) else v for k, v in line.items()}), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", type=int, default=32)
    parser.add_argument("--requests", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 4, 16, 64])
    parser.add_argument("--transformers", metavar="PYTHON", help="also transformers serve, of this environment")
    parser.add_argument("--vllm", metavar="PYTHON", help="also vLLM, of this environment")
    parser.add_argument("--workers", type=int, default=1, help="servers behind our port")
    parser.add_argument("--old", metavar="FOLDER", type=Path, help="also another build, of this checkout")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the servers are ended too
    processes: list[subprocess.Popen[Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = export(folder)
        ports = [free_port() for _ in range(4)]
        urls = [f"http://127.0.0.1:{port}" for port in ports]
        try:
            ours = start_ours(ports[0], checkpoint, "--workers", str(given.workers))
            sides = [Side("ours", urls[0], "m", ours, "ready")]
            if given.transformers:
                peer = start_transformers(ports[1], checkpoint, given.transformers)
                sides.append(Side("transformers serve", urls[1], checkpoint, peer))
            if given.vllm:
                sides.append(Side("vllm", urls[2], "m", start_vllm(ports[2], checkpoint, given.vllm)))
            if given.old:
                sides.append(Side("old", urls[3], "m", start_ours(ports[3], checkpoint, root=given.old), "ready"))
            if len(sides) == 1:
                alone = start_ours(ports[1], checkpoint, "--max-running", "1")
                sides.append(Side("one at a time", urls[1], "m", alone, "ready"))
            processes += [side.process for side in sides]
            oracle = oracle_answers(checkpoint, given.tokens, 4)
            for side in sides:
                wait_for(f"{side.url}/{side.path}", side.process, 900)
                check(side, given.tokens, oracle)  # and the first requests pay for what is made once
            compare(sides, given)
        finally:
            for process in processes:
                process.terminate()
                process.wait(60)


if __name__ == "__main__":
    main()
