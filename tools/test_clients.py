"""Real clients of other projects against `viewfinder serve`: each in an environment of its own, as its documents say.

    python tools/test_clients.py [--cache FOLDER] [--only NAME] [--docs]

Prints a table of client and feature, fails when a cell fails; `--docs` writes its rows into `docs/serving.md`.
Each script in `tests/clients` is run as `script URL FEATURE` and says by its exit status whether the feature works.
Clients in JavaScript are installed by `npm`, with a Node of their own.
"""

import argparse
import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FEATURES = ("text", "stream", "picture", "tools", "stream_tools", "schema", "responses")
CLIENTS = {
    "openai": ("openai==3.57.0",),
    "litellm": ("litellm==1.110.2",),
    "langchain": ("langchain-openai==1.7.4",),
    "llama_index": ("llama-index-llms-openai-like==0.8.1",),
    "llm": ("llm==0.36",),
    "instructor": ("instructor==1.17.0",),
    "pydantic_ai": ("pydantic-ai-slim[openai]==2.68.0",),
    "docling": ("docling-slim==2.143.0",),
    "browser_use": ("browser-use==0.13.14",),
    "guidellm": ("guidellm==0.8.1", "torch==2.13.0"),
    "openai_node": ("openai@7.59.0", "zod@4.6.7", "node@22.23.3"),
    "ai_sdk": ("ai@7.0.173", "@ai-sdk/openai@4.0.118", "node@22.23.3"),
}
"""What is installed; the first is the client."""
SCRIPTED = {"browser_use": "tests.clients.scripted_agent"}
"""Clients that need answers with sense: the server whose words are a script."""
MARK = re.compile(r"(<!-- clients -->\n)(.*?)(<!-- /clients -->)", re.DOTALL)


def label_of(name: str) -> str:
    """`openai 3.57.0`, or `openai 7.59.0, zod 4.6.7, node 22.23.3`."""
    return ", ".join(" ".join(re.split(r"(?:\[\w+\])?==|(?<=\w)@", one)) for one in CLIENTS[name])


def script_of(name: str) -> Path:
    return next((ROOT / "tests" / "clients").glob(f"run_{name}.*"))


def command_of(name: str, cache: Path) -> list[str]:
    """The script in the client's environment, which is made where there is none."""
    folder, script = cache / name, script_of(name)
    in_node = script.suffix == ".mjs"
    program = folder / ("node_modules/.bin/node" if in_node else "bin/python")
    ready, wanted = folder / ".ready", " ".join(CLIENTS[name])
    if not ready.is_file() or ready.read_text() != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        if in_node:
            folder.mkdir(parents=True)
            options = ["--no-audit", "--no-fund", "--save-exact", "--loglevel=error"]
            subprocess.run(["npm", "install", "--prefix", folder, *options, *CLIENTS[name]], check=True)
        else:
            subprocess.run([sys.executable, "-m", "venv", folder], check=True)
            pip = [program, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
            subprocess.run([*pip, *CLIENTS[name]], check=True)
        ready.write_text(wanted)
    if in_node:  # modules are looked for beside the script
        for file in (script, script.with_name("asked.mjs")):
            shutil.copy(file, folder)
        script = folder / script.name
    return [str(program), str(script)]


def works(command: list[str], url: str, feature: str) -> str:
    """`yes`, `-` where the client has no such feature, or the last line of what it said."""
    env = {**os.environ, "OPENAI_API_KEY": "none", "PYTHONPATH": str(ROOT / "tests" / "clients"), "HF_HUB_OFFLINE": "1"}
    try:
        run = subprocess.run([*command, url, feature], capture_output=True, text=True, timeout=420, env=env)
    except subprocess.TimeoutExpired:
        return "FAILED: no end within 420 s"
    lines = (run.stderr.strip() or run.stdout.strip()).splitlines()
    return {0: "yes", 77: "-"}.get(run.returncode, f"FAILED: {lines[-1][:300] if lines else run.returncode}")


@contextlib.contextmanager
def serving(script: str | None) -> Iterator[str]:
    """The address of a server that is ready: of the built-in model, or of a scripted one."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    command = [script, port] if script else ["viewfinder", "serve", "--model", "tiny", "--port", port]
    server = subprocess.Popen([sys.executable, "-m", *command], cwd=ROOT)
    try:
        for _ in range(240):
            time.sleep(0.5)
            assert server.poll() is None, "the server did not start"
            with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/ready", timeout=5):
                yield f"http://127.0.0.1:{port}/v1"
                return
        raise SystemExit("the server was not ready within two minutes")
    finally:
        server.terminate()
        server.wait(60)


def write_rows(rows: list[str]) -> None:
    """Into the table of `docs/serving.md`, in the order of `CLIENTS`; rows of clients that did not run stay."""
    page = ROOT / "docs" / "serving.md"
    found = MARK.search(page.read_text())
    assert found, f"{page} has no place for the table"
    by_label = {row.split(" | ")[0]: row for row in [*found[2].splitlines()[2:], *rows[2:]]}
    kept = [by_label[label] for name in CLIENTS if (label := f"| {label_of(name)}") in by_label]
    table = "\n".join([*rows[:2], *kept])
    page.write_text(MARK.sub(lambda match: f"{match[1]}{table}\n{match[3]}", page.read_text()))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--cache", type=Path, default=ROOT / "out" / "clients")
    parser.add_argument("--only", choices=list(CLIENTS), action="append")
    parser.add_argument("--docs", action="store_true")
    args = parser.parse_args()
    rows, failed = [f"| client | {' | '.join(FEATURES)} |", f"|---{'|---' * len(FEATURES)}|"], []
    for script in (None, *dict.fromkeys(SCRIPTED.values())):
        names = [name for name in args.only or CLIENTS if SCRIPTED.get(name) == script]
        with serving(script) if names else contextlib.nullcontext("") as url:
            for name in names:
                command = command_of(name, args.cache.resolve())
                cells = {feature: works(command, url, feature) for feature in FEATURES}
                failed += [(name, feature, cell) for feature, cell in cells.items() if cell.startswith("FAILED")]
                rows.append(f"| {label_of(name)} | {' | '.join(cell.split(':')[0] for cell in cells.values())} |")
                print(rows[-1], flush=True)
    if args.docs:
        write_rows(rows)
    for one in failed:
        print(json.dumps(one))
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
