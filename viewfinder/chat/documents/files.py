"""What was read, as files: one format or several, for one document or a folder of them.

Documents are done one after the other; each keeps its finished pages in `.pages/` below the output folder until
all of them are there, so that a run can be interrupted at any page.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from viewfinder.chat.batch import Summary, run_many
from viewfinder.chat.documents.sources import PageImages, open_pages
from viewfinder.errors import MediaError
from viewfinder.media.find import file_stems
from viewfinder.outputs.document import Document
from viewfinder.storage.atomic import replacing, write_whole

FORMATS = {
    "html": ".html",
    "clean": ".clean.html",
    "viewer": ".viewer.html",
    "md": ".md",
    "json": ".json",
    "txt": ".txt",
}
"""Formats and how the name of their file ends: QwenVL HTML, a clean page with figures, the viewer, Markdown with
figures, JSON, plain text."""

Parse = Callable[[str, Path], Document]
"""Reads a document, keeping its pages in the file named."""


def text_of(document: Document, kind: str, images: Sequence[Any] = ()) -> str:
    """The document in one of `FORMATS`; `images` of its pages for the formats that show them."""
    match kind:
        case "html":
            return document.to_html() + "\n"
        case "clean":
            return document.to_clean_html(images)
        case "viewer":
            return document.to_viewer(images)
        case "md":
            return document.to_markdown()
        case "json":
            return json.dumps(document.to_dict(), ensure_ascii=False, indent=1) + "\n"
        case "txt":
            return document.text + "\n"
        case _:
            raise MediaError(f"there is no format {kind!r}; the formats are {', '.join(FORMATS)}")


def write_document(
    document: Document, source: Any, stem: Path, formats: Sequence[str], password: str | None = None
) -> list[Path]:
    """Write `stem.md` and the like, with figures beside Markdown in `stem.figures/`; the files written.

    Raises:
        MediaError: an unknown format, or a folder that cannot be written.
    """
    written: list[Path] = []
    numbers = [page.number for page in document.pages]
    try:
        stem.parent.mkdir(parents=True, exist_ok=True)
        with open_pages(source, password=password) as opened:
            images = PageImages(opened, numbers)
            for kind in formats:
                path = stem.with_name(stem.name + FORMATS.get(kind, ""))
                text = text_of(document, kind, images)
                if kind == "md":
                    text = _with_figures(document, images, stem, text)
                write_whole(path, text)
                written.append(path)
    except OSError as error:
        raise MediaError(f"{stem} cannot be written ({error.strerror}); name another folder") from error
    return written


def _with_figures(document: Document, images: PageImages, stem: Path, markdown: str) -> str:
    folder = stem.with_name(stem.name + ".figures")
    for name, figure in document.each_figure(images):
        folder.mkdir(exist_ok=True)
        with replacing(folder / name) as partial:
            figure.save(partial)
        markdown = markdown.replace(f"]({name})", f"]({folder.name}/{name})")
    return markdown


def parse_files(
    files: Sequence[str],
    parse: Parse,
    folder: Path,
    formats: Sequence[str],
    password: str | None = None,
    *,
    settings: Mapping[str, Any],
) -> Summary:
    """Read many documents into `folder`; a document with failed pages is written, listed and tried again next time.

    `settings` is what a reading depends on beside the document (`parse_settings`); see `run_many`.
    """
    stems = file_stems(files)

    def job(file: str) -> dict[str, Any]:
        pages = folder / ".pages" / f"{stems[file]}.jsonl"
        pages.parent.mkdir(parents=True, exist_ok=True)
        document = parse(file, pages)
        written = write_document(document, file, folder / stems[file], formats, password)
        if document.failed:
            first, reason = next(iter(document.failed.items()))
            raise MediaError(
                f"{len(document.failed)} of {len(document.pages)} pages failed (page {first + 1}: {reason})"
            )
        pages.unlink()
        disagreements = sum(len(page.disagreements) for page in document.pages)
        return {
            "pages": len(document.pages),
            "disagreements": disagreements,
            "written": [str(path) for path in written],
        }

    return run_many(files, job, folder / "parsed.jsonl", {**settings, "formats": list(formats)})
