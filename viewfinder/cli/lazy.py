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

from viewfinder.cli.examples import epilog
from viewfinder.cli.options import TensorParallel
from viewfinder.cli.show import interruptible


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
