"""Real clients of other projects against `viewfinder serve`: each in an environment of its own, as its documents say.

    python tools/test_clients.py [--cache FOLDER] [--only NAME] [--docs]

Prints a table of client and feature, fails when a cell fails; `--docs` writes the table into `docs/serving.md`.
Each script in `tests/clients` is run as `script.py URL FEATURE` and says by its exit status whether the feature works.
"""

import argparse
import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FEATURES = ("text", "stream", "picture", "tools", "stream_tools", "schema")
CLIENTS = {
    "openai": "openai==3.57.0",
    "litellm": "litellm==1.110.2",
    "langchain": "langchain-openai==1.7.4",
    "llama_index": "llama-index-llms-openai-like==0.8.1",
    "llm": "llm==0.36",
    "instructor": "instructor==1.17.0",
    "pydantic_ai": "pydantic-ai-slim[openai]==2.68.0",
}
MARK = re.compile(r"(<!-- clients -->\n).*?(<!-- /clients -->)", re.DOTALL)


def python_of(name: str, cache: Path) -> Path:
    """The interpreter of a client's environment, made where there is none."""
    folder = cache / name
    python = folder / "bin" / "python"
    if not (folder / ".ready").is_file():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "--disable-pip-version-check", CLIENTS[name]], check=True)
        (folder / ".ready").touch()
    return python


def version_of(python: Path, name: str) -> str:
    package = re.split(r"[\[=]", CLIENTS[name])[0]
    code = f"from importlib.metadata import version; print(version({package!r}))"
    return (
        f"{package} {subprocess.run([python, '-c', code], capture_output=True, text=True, check=True).stdout.strip()}"
    )


def works(python: Path, name: str, url: str, feature: str) -> str:
    """`yes`, `no such` where the client has no such feature, or the last line of what it said."""
    script = ROOT / "tests" / "clients" / f"run_{name}.py"
    env = {**os.environ, "OPENAI_API_KEY": "none", "PYTHONPATH": str(script.parent)}
    try:
        run = subprocess.run([python, script, url, feature], capture_output=True, text=True, timeout=240, env=env)
    except subprocess.TimeoutExpired:
        return "FAILED: no end within 240 s"
    lines = (run.stderr.strip() or run.stdout.strip()).splitlines()
    return {0: "yes", 77: "-"}.get(run.returncode, f"FAILED: {lines[-1][:300] if lines else run.returncode}")


def serving(port: int) -> subprocess.Popen[bytes]:
    """The built-in model, ready."""
    command = [sys.executable, "-m", "viewfinder", "serve", "--model", "tiny", "--port", str(port)]
    server = subprocess.Popen(command, cwd=ROOT)
    for _ in range(240):
        time.sleep(0.5)
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/ready", timeout=5):
                return server
        except OSError:
            assert server.poll() is None, "the server did not start"
    raise SystemExit("the server was not ready within two minutes")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--cache", type=Path, default=ROOT / "out" / "clients")
    parser.add_argument("--only", choices=list(CLIENTS), action="append")
    parser.add_argument("--docs", action="store_true")
    args = parser.parse_args()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = serving(port)
    rows, failed = [f"| client | {' | '.join(FEATURES)} |", f"|---{'|---' * len(FEATURES)}|"], []
    try:
        for name in args.only or CLIENTS:
            python = python_of(name, args.cache.resolve())
            cells = {feature: works(python, name, f"http://127.0.0.1:{port}/v1", feature) for feature in FEATURES}
            failed += [(name, feature, cell) for feature, cell in cells.items() if cell.startswith("FAILED")]
            rows.append(f"| {version_of(python, name)} | {' | '.join(cell.split(':')[0] for cell in cells.values())} |")
            print(rows[-1], flush=True)
    finally:
        server.terminate()
        server.wait(60)
    print("\n".join(rows))
    if args.docs and not args.only:
        page = ROOT / "docs" / "serving.md"
        table = "\n".join(rows)
        assert MARK.search(page.read_text()), f"{page} has no place for the table"
        page.write_text(MARK.sub(lambda match: f"{match[1]}{table}\n{match[2]}", page.read_text()))
    for one in failed:
        print(json.dumps(one))
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
