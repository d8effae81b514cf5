"""A group of commands whose modules are imported when a command is asked for, not when the group is listed.

The overview, completion of a command's name and a mistyped name need no more than names and help; `resolve_command`,
which finds the one command that will run (or whose options are completed or explained), imports it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from viewfinder.cli.options import TensorParallel
from viewfinder.cli.show import interruptible

EXAMPLES: dict[str, tuple[str, ...]] = {
    "ask": ('viewfinder ask photo.jpg "What is on the table?"',),
    "locate": (
        'viewfinder locate photo.jpg "every cup" --plot found.png',
        'viewfinder locate photos/ "every cup" --out cups.csv --plot drawn/ --min-confidence 0.3',
    ),
    "point": ('viewfinder point screen.png "the save button" --json',),
    "count": ('viewfinder count shelf.jpg "bottles" --plot counted.png',),
    "read": ("viewfinder read receipt.jpg --lines --json", "viewfinder read scans/ --out texts.jsonl"),
    "inspect": ("viewfinder inspect photo.jpg clip.mp4 --model 7B",),
    "moments": ('viewfinder moments clip.mp4 "a goal" --vtt goals.vtt --resume goals.jsonl',),
    "describe": ("viewfinder describe clip.mp4 --plot sheet.png",),
    "parse": (
        "viewfinder parse paper.pdf --pages 1-3 > paper.md",
        "viewfinder parse papers/ --out texts/ --format md --format json",
    ),
    "extract": ("viewfinder extract invoice.pdf --fields number,date,total --plot found.png",),
    "chart": ("viewfinder chart bars.png --csv values.csv",),
    "library add": ("viewfinder library add papers/", "viewfinder library add --again --model run/"),
    "library ask": ('viewfinder library ask "What was the total of March?"',),
    "library search": ("viewfinder library search treasurer",),
    "library list": ("viewfinder library list --json",),
    "library remove": ("viewfinder library remove papers/old.pdf",),
    "agent run": ('viewfinder agent "Set an alarm for 7:30" --world clock',),
    "agent replay": ("viewfinder agent replay runs/alarm",),
    "agent worlds": ("viewfinder agent worlds",),
    "agent play": ("viewfinder agent play clock --seeds 20",),
    "agent samples": ("viewfinder agent samples shards/ --count 1000",),
    "serve": ("viewfinder serve --port 8000", "viewfinder serve --model run/"),
    "mcp": ("viewfinder mcp --root pictures/",),
    "export": ("viewfinder export served/ --model run/",),
    "quantize": (
        "viewfinder quantize tiny --to int4 --out tiny-int4 --check",
        "viewfinder quantize run/ --to gguf --out run-gguf",
    ),
    "schema": ("viewfinder schema box",),
    "data build": ("viewfinder data build locate --out set --count 1000",),
    "data import": ("viewfinder data import conversations rows.json --out set",),
    "data check": (
        "viewfinder data check rows.json --out rows.html",
        "viewfinder data check rows.json --fix fixed.json",
    ),
    "data filter": ("viewfinder data filter set near_duplicates --out fewer",),
    "data mix": ("viewfinder data mix set=2 other=1 --out mixture.json",),
    "data pack": ("viewfinder data pack set --length 8192",),
    "data kinds": ("viewfinder data kinds",),
    "data sources": ("viewfinder data sources",),
    "data inspect": ("viewfinder data inspect set --out set.html",),
    "data gallery": ("viewfinder data gallery locate --out gallery.html",),
    "data stats": ("viewfinder data stats set --plot stats.png",),
    "data verify": ("viewfinder data verify set",),
    "train": (
        "viewfinder train sft --init tiny --data rows.json --out run steps=200",
        "viewfinder train lora --init tiny --data rows.json --out run steps=200",
        "viewfinder train grpo --init tiny --data rows.json --out run steps=200",
    ),
    "plan": ("viewfinder plan sft --size 7B --world 8",),
    "eval run": (
        "viewfinder eval run suites --model run/",
        "viewfinder eval run own --data held-out.json --model run/ --out scores",
    ),
    "eval list": ("viewfinder eval list",),
    "eval rerun": ("viewfinder eval rerun out/eval/tiny/tiny/suite_reading",),
    "eval compare": ("viewfinder eval compare before/tiny/own after/run/own",),
    "compare": ("viewfinder compare before/tiny/own after/run/own",),
    "study": ("viewfinder study list", "viewfinder study positions --model run/ --out studies"),
    "doctor": ("viewfinder doctor",),
}
"""By the words of the command."""


def epilog(name: str) -> str | None:
    """The examples of a command as the end of its help; `\\b` keeps its lines as they are."""
    lines = EXAMPLES.get(name)
    return None if lines is None else "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)])


@dataclass(frozen=True)
class Lazy:
    """A command that is not imported yet.

    Attributes:
        place: `module:name` in this package, of a function or of a `typer.Typer`.
        help: what it does, in a line.
    """

    place: str
    help: str

    def load(self, name: str) -> Any:
        """The command, its module imported now."""
        module, _, attribute = self.place.partition(":")
        found = getattr(import_module(f"viewfinder.cli.{module}"), attribute)
        if not isinstance(found, typer.Typer):
            app = typer.Typer(add_completion=False, rich_markup_mode=None)
            app.command(name)(found)
            found = app
        command = get_command(found)
        command.name, command.help = name, self.help
        for inner, one in {"": command, **getattr(command, "commands", {})}.items():
            one.epilog = epilog(f"{name} {inner}".strip())
            if any("--model" in parameter.opts for parameter in one.params):
                one.params.append(_tensor_parallel())
        return command


def _tensor_parallel() -> Any:
    """The option, which no function has to take."""

    def holder(tensor_parallel: TensorParallel = 1) -> None: ...

    app = typer.Typer(add_completion=False)
    app.command()(holder)
    return get_command(app).params[0]


class Group(TyperGroup):
    """A group whose overview wraps the help of its commands instead of cutting it."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.help or "") for name, command in self.commands.items()])


def subgroup(cls: type[Group] = Group) -> typer.Typer:
    """For the commands of a group inside the group."""
    return typer.Typer(cls=cls, no_args_is_help=True, add_completion=False, rich_markup_mode=None)


def group_of(table: Mapping[str, Lazy]) -> type[TyperGroup]:
    """A group with the commands of a table."""

    class LazyGroup(Group):
        def __init__(self, **settings: Any) -> None:
            super().__init__(**settings)
            self.commands = {name: TyperCommand(name, help=entry.help) for name, entry in table.items()}

        def resolve_command(self, ctx: Any, args: list[str]) -> Any:
            name, command, rest = super().resolve_command(ctx, args)
            return name, command and name and table[name].load(name), rest

        def invoke(self, ctx: Any) -> Any:
            with interruptible("stopped before there was an answer; nothing was written"):
                return super().invoke(ctx)

    return LazyGroup
