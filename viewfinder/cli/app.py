"""All commands by name, and errors meant for users as one line and exit code 2."""

import os
import re
import sys
import time
from importlib import metadata
from typing import Annotated

import typer

from viewfinder import __version__
from viewfinder.cli import options
from viewfinder.cli.lazy import Lazy, group_of
from viewfinder.errors import ViewfinderError

# One line a command: its name, where it is, and the help of the overview and of the command itself. Its module is
# imported when the command is asked for.
COMMANDS = {
    "ask": Lazy("image_commands:ask", "Answer a question in free text; the text comes as it is made."),
    "locate": Lazy(
        "image_commands:locate", "Boxes of everything that fits the query, in pixels of the original picture."
    ),
    "point": Lazy(
        "image_commands:point", "A point on everything that fits the query, in pixels of the original picture."
    ),
    "count": Lazy("image_commands:count", "How many things fit the query, each pointed at."),
    "read": Lazy("image_commands:read", "The text in a picture; with --lines (or --plot) each line with its box."),
    "inspect": Lazy("inspect_command:inspect", "Sizes, tokens, times, positions and predicted cost of a request."),
    "moments": Lazy("video_commands:moments", "When something happens, in seconds of the original clip."),
    "describe": Lazy("video_commands:describe", "All events of a clip, with their times."),
    "parse": Lazy(
        "document_commands:parse",
        "Read documents page by page, with headings, tables, formulas and figures in their places.",
    ),
    "extract": Lazy(
        "document_commands:extract",
        "Take named values from a document, each with the page and box it was read from.",
    ),
    "chart": Lazy("document_commands:chart", "Read the values of a chart into a table."),
    "library": Lazy("library_commands:library", "Collections of documents that answer with citations."),
    "agent": Lazy("agent_commands:agent", "Work on a task at a browser, a desktop, a phone or in an offline world."),
    "serve": Lazy(
        "serve_commands:serve", "Serve the model: OpenAI's API, the task endpoints, and the playground page."
    ),
    "mcp": Lazy(
        "serve_commands:mcp", "The jobs as tools for assistants (Model Context Protocol), on files of a folder."
    ),
    "export": Lazy(
        "serve_commands:export",
        "Write a model as a directory in the official layout, which vLLM, SGLang and transformers serve.",
    ),
    "quantize": Lazy(
        "train_commands:quantize", "Write a model in fewer bits: int8, int4, AWQ, FP8 or a GGUF pair, and check it."
    ),
    "data": Lazy("data_commands:data", "Sets of training samples: build, import, filter, mix, pack, inspect, stats."),
    "train": Lazy(
        "train_commands:train",
        "Train a recipe; under torchrun, on all its processes. Figures go to OUT/metrics.jsonl and OUT/report.html.",
    ),
    "plan": Lazy(
        "train_commands:plan",
        "Memory, FLOPs, traffic, time, energy and cost of a recipe before it is run; of all of them: `plan report`.",
    ),
    "eval": Lazy("eval_commands:app", "Scores that can be reproduced: run, list, rerun, compare."),
    "compare": Lazy(
        "eval_commands:compare", "What changed between two runs of `eval`, and whether it could be chance."
    ),
    "study": Lazy("study_command:study", "Questions that the report leaves open, answered by one command each."),
    "schema": Lazy("schema_command:schema", "The JSON schema of a result: box, point, count, span, document, ..."),
    "doctor": Lazy(
        "doctor_command:doctor", "What is installed, which device and kernels serve, and what is missing for what."
    ),
}

# Help and mistakes are plain text: boxes drawn by rich take as long as all the rest of `--help`.
app = typer.Typer(
    name="viewfinder",
    cls=group_of(COMMANDS),
    help="Ask, locate, point, count and read, with answers in pixels and seconds of the original.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"viewfinder {__version__}")
        raise typer.Exit


Version = Annotated[
    bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version, and stop.")
]


@app.callback()
def root(server: options.Server = None, profile: options.Profile = None, version: Version = False) -> None:
    options.SERVER.set(server)
    options.PROFILE.set(profile)


def main() -> None:
    """Run the command line."""
    try:
        app()
    except ViewfinderError as error:
        if int(os.environ.get("RANK", "0")):
            time.sleep(30)  # rank 0 says the same, and torchrun ends this process; it speaks where it fails alone
        print(f"viewfinder: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(2)
    except ModuleNotFoundError as error:
        if (error.name or "viewfinder").startswith("viewfinder"):
            raise

        print(f"viewfinder: {missing(error)}", file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:  # the reader of our output has gone, as in `| head`
        sys.exit(0)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        from viewfinder.storage.system_errors import system_sentence

        sentence = system_sentence(error)
        if not sentence:
            raise
        print(f"viewfinder: {sentence}", file=sys.stderr)
        sys.exit(2)


_FOR_TESTS = ("dev", "parity")


def missing(error: ModuleNotFoundError) -> str:
    """Name the module, and the extra of this package that brings it.

    `No module named 'pyarrow.parquet'`: "pyarrow is not installed, which this needs; pip install 'viewfinder[data]'".
    """
    name = (error.name or "").partition(".")[0]
    extra = _extras().get(name.lower().replace("_", "-"))
    return f"{name} is not installed, which this needs; pip install '{f'viewfinder[{extra}]' if extra else name}'"


def _extras() -> dict[str, str]:
    """The first extra of each distribution that is not of the core."""
    found: dict[str, str] = {}
    for line in metadata.requires("viewfinder") or ():
        match = re.match(r"""([\w.-]+)[^;]*;.*extra == ["']([\w-]+)["']""", line)
        if match and match[2] not in _FOR_TESTS:
            found.setdefault(match[1].lower().replace("_", "-"), match[2])
    return found
