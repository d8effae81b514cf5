"""Puts the commands together and turns errors meant for users into one line and exit code 2."""

import sys

import typer

from viewfinder.cli import (
    agent_commands,
    data_commands,
    document_commands,
    eval_commands,
    image_commands,
    inspect_command,
    library_commands,
    serve_commands,
    train_commands,
    video_commands,
)
from viewfinder.errors import ViewfinderError

app = typer.Typer(
    name="viewfinder",
    help="Ask, locate, point, count and read, with answers in pixels and seconds of the original.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
image_commands.register(app)
data_commands.register(app)
inspect_command.register(app)
video_commands.register(app)
document_commands.register(app)
eval_commands.register(app)
library_commands.register(app)
serve_commands.register(app)
agent_commands.register(app)
train_commands.register(app)


def main() -> None:
    """Run the command line."""
    try:
        app()
    except ViewfinderError as error:
        print(f"viewfinder: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:  # the reader of our output has gone, as in `| head`
        sys.exit(0)
    except KeyboardInterrupt:
        sys.exit(130)
