"""Run every benchmark and gather its JSON lines in `bench/results.json`. About forty minutes on two quiet cores.

    python bench/run_all.py [--quick] [SCRIPT ...]

Named scripts alone are run again and take the place of their earlier lines. `--quick` measures one pair a figure. The
file is written after each script, so an interrupted run keeps what it has.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
RESULTS = HERE / "results.json"
RUNS = {
    "preprocess.py": [[]],
    "model_speed.py": [["--dtype", "bfloat16"], ["--dtype", "float32", "--no-memory"]],
    "grammar_speed.py": [[]],
    "teds.py": [[]],
    "documents.py": [[]],
    "video.py": [["--repeats", "1"]],
}
"""Options of each run of a script."""
QUICK = {
    "preprocess.py": ["--repeats", "1"],
    "model_speed.py": ["--repeats", "1", "--no-memory"],
    "grammar_speed.py": ["--repeats", "2"],
    "documents.py": ["--pages", "30", "--collection", "100"],
}


def run(script: str, options: list[str]) -> list[dict[str, Any]]:
    """The figures of one script; a failure is a line too."""
    print(f"== {script} {' '.join(options)}", flush=True)
    start = time.perf_counter()
    command = [sys.executable, str(HERE / script), *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    lines: list[dict[str, Any]] = []
    for line in process.stdout:
        if line.startswith('{"'):  # a peer prints dictionaries of Python's too
            print(line, end="", flush=True)
            lines.append({"script": script, **json.loads(line)})
    if process.wait():
        lines.append({"script": script, "name": f"{script} failed", "exit_code": process.returncode})
    print(f"   {time.perf_counter() - start:.0f} s", flush=True)
    return lines


def machine() -> dict[str, Any]:
    cpu = Path("/proc/cpuinfo")
    flags = cpu.read_text() if cpu.exists() else ""
    return {
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "avx512_bf16": "avx512_bf16" in flags,
        "python": platform.python_version(),
        "load": os.getloadavg()[0],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scripts", nargs="*", choices=[[], *RUNS, *_others()], help="all when none is named")
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    kept = json.loads(RESULTS.read_text())["results"] if given.scripts and RESULTS.exists() else []
    wanted = given.scripts or [*RUNS, *_others()]
    results = [line for line in kept if line.get("script") not in wanted]
    start = machine()
    failed = False
    for script in wanted:
        for options in RUNS.get(script, [[]]):
            lines = run(script, [*options, *(QUICK.get(script, []) if given.quick else [])])
            failed |= any("exit_code" in line for line in lines)
            results += lines
            RESULTS.write_text(json.dumps({"machine": start, "results": results}, indent=1) + "\n")
    sys.exit(failed)


def _others() -> list[str]:
    """Benchmarks of the server and of training, where they are."""
    return [name for name in ("serve_throughput.py", "train_speed.py") if (HERE / name).exists()]


if __name__ == "__main__":
    main()
