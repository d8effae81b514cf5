"""Run every benchmark and gather its JSON lines in `bench/results.json`. About half an hour on two cores."""

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
RUNS = [
    ["preprocess.py"],
    ["model_speed.py"],
    ["model_speed.py", "--dtype", "float32", "--no-memory"],
    ["grammar_speed.py"],
    ["teds.py"],
    ["video.py"],
]


def main() -> None:
    results = []
    for script, *options in RUNS:
        if not (HERE / script).exists():
            continue
        print(f"== {script} {' '.join(options)}", flush=True)
        run = subprocess.run(
            [sys.executable, str(HERE / script), *options], stdout=subprocess.PIPE, text=True, check=False
        )
        lines = [json.loads(line) for line in run.stdout.splitlines() if line.startswith("{")]
        if run.returncode:
            lines.append({"name": f"{script} failed", "exit_code": run.returncode})
        for line in lines:
            print(json.dumps(line), flush=True)
        results += lines
    machine = {"machine": platform.machine(), "cores": os.cpu_count(), "python": platform.python_version()}
    (HERE / "results.json").write_text(json.dumps({"machine": machine, "results": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
