"""What a command imports before it answers: lists of modules, so that no clock decides."""

import json
import os
import subprocess
import sys
from collections.abc import Set
from pathlib import Path

import pytest

from viewfinder.cli.app import COMMANDS

HEAVY = {
    *("torch", "av", "pypdfium2", "llguidance", "tokenizers", "playwright", "safetensors", "jaxtyping", "sympy"),
    *(
        "matplotlib",
        "pyarrow",
        "huggingface_hub",
        "fastapi",
        "starlette",
        "uvicorn",
        "httpx",
        "lxml",
        "rdkit",
        "pandas",
    ),
}
PICTURES = {"numpy", "PIL"}
RUNS = """
import contextlib, io, json, sys
from viewfinder.cli import main
said, found = io.StringIO(), {}
for arguments in json.loads(sys.argv[1]):
    before = set(sys.modules)
    sys.argv[:] = ["viewfinder", *arguments]
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said), contextlib.suppress(SystemExit):
        main()
    found[" ".join(arguments)] = sorted(set(sys.modules) - before)
print(json.dumps(found))
"""


def modules_of(*runs: list[str]) -> dict[str, Set[str]]:
    """Modules that each of several runs of `viewfinder` imports, one after the other in a process of their own."""
    command = [sys.executable, "-c", RUNS, json.dumps(runs)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    return {arguments: set(names) for arguments, names in json.loads(done.stdout).items()}


def heavy(found: dict[str, Set[str]], kinds: Set[str] = frozenset(HEAVY)) -> dict[str, list[str]]:
    """The runs that imported a distribution of these kinds, and which."""
    return {run: names for run, modules in found.items() if (names := sorted(tops(modules) & kinds))}


def tops(modules: Set[str]) -> Set[str]:
    return {name.partition(".")[0] for name in modules}


def test_import_viewfinder_imports_nothing_else() -> None:
    code = "import sys, viewfinder; print(*(name for name in sys.modules if name.startswith('viewfinder')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["viewfinder"]


def test_what_needs_no_picture_imports_neither_torch_nor_pixels() -> None:
    found = modules_of(
        *([], ["--help"], ["no-such-command"], ["--no-such-option"]),
        *([name, "--help"] for name in COMMANDS),
        *(["eval", "list"], ["eval", "list", "--json"], ["eval", "run", "no-such-task"], ["train", "sft"]),
        *(["locate", "only-one"], ["locate", "a.png", "x", "--no-such-option"], ["parse", "a.pdf", "--format"]),
    )
    assert heavy(found, HEAVY | PICTURES) == {}
    parts = ("viewfinder.data.synth", "viewfinder.agent", "viewfinder.chat", "viewfinder.eval.suites")
    assert not [name for modules in found.values() for name in modules if name.startswith(parts)]


def test_a_wrong_path_or_kind_is_answered_before_torch_is_imported(tmp_path: Path) -> None:
    text = tmp_path / "photo.jpg"
    text.write_text("this is text")
    found = modules_of(
        *(["data", "kinds"], ["data", "build", "no-such-kind", "--out", str(tmp_path / "set")]),
        *([job, "absent.png", "x"] for job in ("locate", "point", "count", "ask")),
        *([job, "absent.png"] for job in ("read", "chart", "inspect", "parse")),
        *(["moments", "absent.mp4", "x"], ["describe", "absent.mp4"], ["extract", "absent.pdf", "--fields", "a"]),
        *(["locate", str(text), "x"], ["chart", str(text)], ["library", "search", "x", "--library", "absent.db"]),
    )
    assert heavy(found) == {}
    drawing = {name for modules in found.values() for name in modules if name.startswith("viewfinder.data.synth.")}
    assert drawing <= {"viewfinder.data.synth.kinds"}


def test_locate_imports_only_what_the_answer_needs(checkpoint: Path, picture: Path) -> None:
    """torch without its compiler; readers of pictures without those of clips and documents."""
    run = ["locate", str(picture), "box", "--model", str(checkpoint), "--max-new-tokens", "5"]
    (found,) = modules_of(run).values()
    assert {"torch", "viewfinder.engine.engine"} <= found
    assert not tops(found) & (HEAVY - {"torch", "tokenizers", "safetensors", "llguidance", "jaxtyping"})
    assert not {"rich", "torch._dynamo", "torch._inductor"} & found
    others = ("viewfinder.chat.documents", "viewfinder.outputs.document", "viewfinder.data", "viewfinder.eval")
    assert not [name for name in found if name.startswith(others)]


def test_training_a_recipe_imports_no_agent() -> None:
    code = "import sys, viewfinder.recipes.run; print(*(n for n in sys.modules if n.startswith('viewfinder.agent')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("viewfinder lo", {"locate"}),
        ("viewfinder library se", {"search"}),
        ("viewfinder locate --ver", {"--verify"}),
        ("viewfinder eval run --bes", {"--beside"}),
    ],
)
def test_shells_complete_commands_and_their_options(words: str, offered: set[str]) -> None:
    asked = {"_VIEWFINDER_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1)}
    code = "import atexit, sys\natexit.register(lambda: print(*sys.modules, file=sys.stderr))\n"
    code += "sys.argv = ['viewfinder']\nfrom viewfinder.cli import main\nmain()"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **asked}, check=False)
    assert set(done.stdout.split()) == offered
    assert not tops(set(done.stderr.split())) & (HEAVY | PICTURES)


def test_every_command_is_where_the_table_says_and_explains_itself(run_here) -> None:
    for name, entry in COMMANDS.items():
        done = run_here(name, "--help")
        assert done.code == 0
        assert entry.help.split(";")[0][:40] in " ".join(done.out.split())
    overview = " ".join(run_here("--help").out.split())
    assert all(f"{name} {entry.help}" in overview for name, entry in COMMANDS.items())
