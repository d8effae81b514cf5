"""A hook of the documentation site: the help of every command, as it is today, in `reference/cli.md`."""

import os
from typing import Any

os.environ.setdefault("COLUMNS", "100")


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Any) -> str:
    """Replace the mark `<!-- commands -->` with a section a command."""
    if page.file.src_uri != "reference/cli.md":
        return markdown
    import click
    from typer.main import get_command

    from viewfinder.cli.app import app

    root = get_command(app)
    sections: list[str] = []

    def write(command: click.Command, context: click.Context, level: int) -> None:
        sections.append(f"{'#' * level} {context.command_path}\n\n```\n{command.get_help(context)}\n```\n")
        if isinstance(command, click.Group):
            for name in command.list_commands(context):
                inner = command.get_command(context, name)
                assert inner is not None
                write(inner, click.Context(inner, info_name=name, parent=context), min(level + 1, 4))

    write(root, click.Context(root, info_name="viewfinder"), 2)
    return markdown.replace("<!-- commands -->", "\n".join(sections))
