"""Good clients of two keys alone and beside the hostile corpus of two others, for one build or two in turn; and with
`--plain`, how much good clients get done in each build when nobody attacks.

Latencies count as ratios to those alone in the same run, since other programs may share the machine. `/health` is asked
every 50 ms all the time, from another process than the clients.

    python bench/beside_attack.py [--old FOLDER] [--clients 8] [--seconds 30] [--part 1]   # 5 min for two builds
    python bench/beside_attack.py --plain --old FOLDER [--rounds 6]
"""

import argparse
import json
import multiprocessing
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import httpx

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.serve.hostile import CHAT, Request, corpus  # noqa: E402
from tests.serve.internet import Web  # noqa: E402
from tests.serve.process import Process  # noqa: E402
from tests.serve.test_hostile import good_body  # noqa: E402
from tests.serve.test_web import pages  # noqa: E402

GOOD, EVIL = ("good-1", "good-2"), ("evil-1", "evil-2")


@dataclass
class Phase:
    """What the good clients met while it lasted."""

    seconds: list[float] = field(default_factory=list)
    answers: Counter[tuple[int, str]] = field(default_factory=Counter)
    health: list[float] = field(default_factory=list)
    peak: int = 0
    lasted: float = 0.0

    @property
    def p95(self) -> float:
        return quantiles(self.seconds, n=20)[-1]


def ask_health(url: str, stop: Any, taken: Any) -> None:
    """In a process of its own."""
    with httpx.Client(timeout=60) as http:
        while not stop.is_set():
            start = time.monotonic()
            assert http.get(f"{url}/health").status_code == 200
            taken.put(time.monotonic() - start)
            time.sleep(0.05)


def be_good(url: str, key: str, phase: Phase, stop: threading.Event) -> None:
    with httpx.Client(timeout=600, headers={"Authorization": f"Bearer {key}"}) as http:
        while not stop.is_set():
            start = time.monotonic()
            answer = http.post(f"{url}{CHAT}", json=good_body())
            text = answer.json()["choices"][0]["message"]["content"] if answer.is_success else answer.text
            phase.seconds.append(time.monotonic() - start)
            phase.answers[answer.status_code, text] += 1


def be_evil(url: str, key: str, requests: list[Request], statuses: Counter[int]) -> None:
    headers = {"Authorization": f"Bearer {key}", "content-type": "application/json"}
    with httpx.Client(timeout=600, headers=headers) as http:
        for _, path, body in requests:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            try:
                statuses[http.post(f"{url}{path}", content=data).status_code] += 1
            except httpx.HTTPError:
                statuses[0] += 1


def measured(process: Process, clients: int, others: list[threading.Thread], seconds: float) -> Phase:
    """Good clients for `seconds`, and until the others have ended."""
    phase, stop, start = Phase(), threading.Event(), time.monotonic()
    ended, taken = multiprocessing.Event(), multiprocessing.Queue()
    asker = multiprocessing.Process(target=ask_health, args=(process.url, ended, taken))
    good = [threading.Thread(target=be_good, args=(process.url, key, phase, stop)) for key in GOOD * clients]
    asker.start()
    for thread in (*good, *others):
        thread.start()
    while time.monotonic() < start + seconds or any(thread.is_alive() for thread in others):
        phase.peak = max(phase.peak, process.usage()[0])
        while not taken.empty():
            phase.health.append(taken.get())
        time.sleep(0.1)
    stop.set()
    for thread in good:
        thread.join()
    phase.lasted = time.monotonic() - start
    ended.set()
    asker.join()
    return phase


def row(root: Path, clients: int, seconds: float, part: int, folder: Path) -> dict[str, Any]:
    """One build's line of the table."""
    with (
        Web(pages(folder)) as outside,
        Web({}) as inside,
        Process(internet=(str(outside.port), str(inside.port)), keys=GOOD + EVIL, root=root) as process,
    ):
        measured(process, clients, [], min(5.0, seconds))
        alone = measured(process, clients, [], seconds)
        requests, statuses = corpus(folder)[::part], Counter[int]()
        evil = [
            threading.Thread(target=be_evil, args=(process.url, EVIL[i % 2], requests[i::8], statuses))
            for i in range(8)
        ]
        beside = measured(process, clients, evil, seconds)
        asked = inside.asked
    right = alone.answers.most_common(1)[0][0]
    return {
        "hostile requests": sum(statuses.values()),
        "5xx or no answer": sum(count for status, count in statuses.items() if status >= 500 or not status),
        "good answers": len(beside.seconds),
        "of them wrong": sum(count for answer, count in beside.answers.items() if answer != right or right[0] != 200),
        "p50 alone, beside (s)": f"{median(alone.seconds):.2f}, {median(beside.seconds):.2f}",
        "p95 alone, beside (s)": f"{alone.p95:.2f}, {beside.p95:.2f}",
        "p95 beside / alone": round(beside.p95 / alone.p95, 2),
        "slowest /health alone, beside (ms)": f"{1000 * max(alone.health):.0f}, {1000 * max(beside.health):.0f}",
        "/health over 200 ms alone, beside": ", ".join(
            f"{sum(s > 0.2 for s in phase.health)} of {len(phase.health)}" for phase in (alone, beside)
        ),
        "peak alone, beside (MB)": f"{alone.peak // 10**6}, {beside.peak // 10**6}",
        "reached inside": len(asked),
        "seconds of attack": round(beside.lasted),
    }


def plain(roots: list[Path], clients: int, seconds: float, rounds: int) -> None:
    """Good answers a second of each build, in turn, and the median of the ratios."""
    servers = [Process(root=root) for root in roots]  # without keys, which builds take in different ways
    with servers[0], servers[1]:
        for server in servers:
            measured(server, clients, [], seconds / 2)
        rates: list[list[float]] = [[], []]
        for i in range(rounds):
            for side in (0, 1) if i % 2 else (1, 0):
                phase = measured(servers[side], clients, [], seconds)
                rates[side].append(len(phase.seconds) / phase.lasted)
    ratios = [new / old for old, new in zip(*rates, strict=True)]
    print(f"answers a second: before {median(rates[0]):.2f}, now {median(rates[1]):.2f}")
    print(f"now / before: median {median(ratios):.3f}, all {[round(ratio, 3) for ratio in ratios]}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--old", type=Path, help="folder of an earlier build, asked as well")
    parser.add_argument("--clients", type=int, default=8, help="of each good key")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--part", type=int, default=1, help="take every PART-th request of the corpus")
    parser.add_argument("--plain", action="store_true")
    parser.add_argument("--rounds", type=int, default=6)
    given = parser.parse_args()
    builds = {**({"before": given.old.resolve()} if given.old else {}), "now": ROOT}
    if given.plain:
        plain(list(builds.values()), given.clients, given.seconds, given.rounds)
        return
    table = {}
    for name, root in builds.items():
        with tempfile.TemporaryDirectory() as folder:
            table[name] = row(root, given.clients, given.seconds, given.part, Path(folder))
            print(name, json.dumps(table[name]), flush=True)
    print("\n| | " + " | ".join(table) + " |\n|---|" + "---|" * len(table))
    for line in next(iter(table.values())):
        print(f"| {line} | " + " | ".join(str(column[line]) for column in table.values()) + " |")


if __name__ == "__main__":
    main()
