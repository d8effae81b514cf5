"""`mcp`: the jobs as tools for assistants, over standard input and output or over HTTP on this machine."""

from pathlib import Path
from typing import Annotated

import typer

from viewfinder.cli import options

Root = Annotated[
    Path,
    typer.Option("--root", exists=True, file_okay=False, help="Folder whose files may be read; nothing outside it."),
]
Http = Annotated[
    int | None,
    typer.Option(
        "--http", min=1, max=65535, help="Streamable HTTP on this port of 127.0.0.1, at /mcp.", metavar="PORT"
    ),
]


def mcp(
    root: Root = Path(),
    http: Http = None,
    model: options.Model = "tiny",
    max_pixels: options.MaxPixels = None,
    dtype: options.Dtype = None,
) -> None:
    from viewfinder.cli.mcp_tools import create_server

    server = create_server(options.open_model(model, dtype, max_pixels=max_pixels), root)
    if http is None:
        server.run("stdio")
    else:
        typer.echo(f"tools at http://127.0.0.1:{http}/mcp, on files below {root.resolve()}", err=True)
        server.run("streamable-http", host="127.0.0.1", port=http)
