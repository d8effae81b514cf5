"""`schema`: what results look like as JSON, for programs that read them."""

from typing import Annotated, Any

import typer

from viewfinder.cli.show import print_json
from viewfinder.errors import check_names


def schema(
    name: Annotated[str | None, typer.Argument(help="A result; all are listed when none is named.")] = None,
) -> None:
    from viewfinder.outputs.written import json_schema_of

    known = _results()
    if name is None:
        typer.echo("\n".join(known))
        return
    check_names([name], known, "result")
    print_json(json_schema_of(known[name]))


def _results() -> dict[str, type[Any]]:
    """Each result that has a JSON form, by the name of its job's part."""
    from viewfinder.chat.documents.extract import Extraction
    from viewfinder.chat.library.ask import LibraryAnswer
    from viewfinder.outputs.boxes import Box
    from viewfinder.outputs.counts import Count
    from viewfinder.outputs.document.document import Document
    from viewfinder.outputs.points import Point
    from viewfinder.outputs.spans import Span

    return {
        "box": Box,
        "point": Point,
        "count": Count,
        "span": Span,
        "document": Document,
        "extraction": Extraction,
        "library-answer": LibraryAnswer,
    }
