"""How soon the command line answers: medians over alternating runs, as ratios to `python -c pass`.

    python bench/start_up.py --runs 10 --llm            # with `llm --help`, installed in an environment of its own
    python bench/start_up.py --beside ../other-checkout # the same rows of another checkout, alternating with ours

Every row is a process of its own, and the rows alternate, so that other work on the machine meets all of them alike.
Beside the time on the clock stands that of the processor, which other work changes less. The last line compares the
first answer of `viewfinder locate` with what it cannot do without: the import of torch, and the run itself (loading the
model, looking, answering), which is measured in a process that has everything imported.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
IMPORTED = """
import contextlib, os, sys, time
import viewfinder.chat.viewfinder, viewfinder.cli.image_commands, viewfinder.engine.engine
from viewfinder.cli import main
sys.argv = ["viewfinder", *sys.argv[1:]]
began = time.perf_counter(), time.process_time()
with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere), contextlib.suppress(SystemExit):
    main()
print(time.perf_counter() - began[0], time.process_time() - began[1])
"""
UNIT, TORCH, FIRST, AGAIN = "python -c pass", "import torch", "viewfinder locate", "the run of locate itself"


@dataclass
class Row:
    """One command, the checkout it is of, and its seconds so far: (clock, processor)."""

    command: list[str]
    checkout: Path = ROOT
    taken: list[tuple[float, float]] = field(default_factory=list)

    def run(self) -> None:
        environment = {**os.environ, "PYTHONPATH": str(self.checkout.resolve())}
        began, used = time.perf_counter(), os.times()
        done = subprocess.run(  # elsewhere, since `python -m` looks in the working directory first
            self.command, capture_output=True, text=True, check=False, env=environment, cwd=tempfile.gettempdir()
        )
        clock, now = time.perf_counter() - began, os.times()
        processor = now.children_user + now.children_system - used.children_user - used.children_system
        if IMPORTED in self.command:
            clock, processor = map(float, done.stdout.split())
        self.taken.append((clock, processor))

    def medians(self) -> tuple[float, float]:
        clock, processor = zip(*self.taken, strict=True)
        return statistics.median(clock), statistics.median(processor)


def rows(checkout: Path) -> dict[str, Row]:
    """What is measured; the first is the unit."""
    program = [sys.executable, "-m", "viewfinder"]
    locate = ["locate", str(ROOT / "examples" / "shapes.png"), "every blue star"]
    commands = {
        UNIT: [sys.executable, "-c", "pass"],
        "import viewfinder": [sys.executable, "-c", "import viewfinder"],
        "viewfinder --help": [*program, "--help"],
        "viewfinder locate --help": [*program, "locate", "--help"],
        "viewfinder eval list": [*program, "eval", "list"],
        "viewfinder data kinds": [*program, "data", "kinds"],
        "viewfinder no-such-command": [*program, "no-such-command"],
        "viewfinder locate absent.png x": [*program, "locate", "absent.png", "x"],
        TORCH: [sys.executable, "-c", "import torch"],
        FIRST: [*program, *locate],
        AGAIN: [sys.executable, "-c", IMPORTED, *locate],
    }
    return {name: Row(command, checkout) for name, command in commands.items()}


def llm_help(folder: str) -> list[str]:
    """`llm --help` of the pip package, in an environment that holds nothing else."""
    venv.create(folder, with_pip=True)
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    subprocess.run([f"{folder}/bin/pip", "install", "--quiet", "llm"], check=True, env=environment)
    return [f"{folder}/bin/llm", "--help"]


def report(table: dict[str, Row]) -> None:
    """Lines of one checkout."""
    unit = table[UNIT].medians()
    print(f"{'':34}{'clock':>8}{'ratio':>11}{'processor':>14}{'ratio':>8}")
    for name, row in table.items():
        clock, processor = row.medians()
        ratios = clock / unit[0], processor / unit[1]
        print(f"{name:34}{1000 * clock:8.0f} ms{ratios[0]:8.1f}{1000 * processor:11.0f} ms{ratios[1]:8.1f}")
    first, torch, again = (table[name].medians() for name in (FIRST, TORCH, AGAIN))
    shares = [first[i] / (torch[i] + again[i]) for i in (0, 1)]
    print(f"first answer of locate, of the import of torch and the run itself: {shares[0]:.2f} ({shares[1]:.2f})")


def main() -> None:
    parser = argparse.ArgumentParser(description="How soon the command line answers.")
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--llm", action="store_true", help="also `llm --help`; installs the package llm")
    parser.add_argument("--beside", type=Path, help="another checkout")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tables = [rows(checkout) for checkout in (ROOT, given.beside) if checkout]
        if given.llm:
            tables[0]["llm --help"] = Row(llm_help(folder))
        for turn in range(given.runs + 1):
            for table in tables:
                for row in table.values():
                    row.run()
                    if turn == 0:
                        row.taken.clear()  # the first brings bytecode and files into the caches
    print(f"medians of {given.runs} alternating runs, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    for table in tables:
        print(f"\n{'this checkout' if table is tables[0] else given.beside}")
        report(table)


if __name__ == "__main__":
    main()
