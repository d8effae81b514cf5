"""One job over many files: each result is a line of a JSONL file as soon as it is there.

A file already in the results is not done again, so an interrupted run goes on where it stopped; a file that
fails is a line with `error`, is tried again next time, and never stops the others.
"""

import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from viewfinder.errors import MediaError, ViewfinderError
from viewfinder.media.image import IMAGE_SUFFIXES
from viewfinder.outputs.export import coco_from_results, csv_from_results
from viewfinder.outputs.json_lines import append_values, read_kept
from viewfinder.storage.atomic import write_whole
from viewfinder.storage.lock import locked
from viewfinder.storage.system_errors import system_errors


@dataclass(frozen=True)
class Summary:
    """How a run ended. `failed` maps files to the reason."""

    done: int
    skipped: int
    failed: dict[str, str]
    out: Path

    def to_dict(self) -> dict[str, Any]:
        return {"done": self.done, "skipped": self.skipped, "failed": self.failed, "out": str(self.out)}

    def sentence(self) -> str:
        lines = [f"{self.done} done, {self.skipped} were there already, {len(self.failed)} failed; see {self.out}"]
        return "\n".join(lines + [f"  {file}: {reason}" for file, reason in self.failed.items()])


def find_images(sources: Sequence[str]) -> list[str]:
    """Files named, and all pictures below folders named, in order of name.

    Raises:
        MediaError: a folder without pictures.
    """
    files: list[str] = []
    for source in sources:
        folder = Path(source)
        if folder.is_dir():
            inside = sorted(str(p) for p in folder.rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES)
            if not inside:
                raise MediaError(
                    f"{source} holds no pictures ({', '.join(sorted(IMAGE_SUFFIXES))}); name another folder"
                )
            files += inside
        else:
            files.append(source)
    return files


def run_many(files: Iterable[str], job: Callable[[str], dict[str, Any]], out: Path) -> Summary:
    """Run `job` on each file and write results to `out`, which one process at a time may do.

    `out` ends in .jsonl; a .csv or .json (COCO) is made from a .jsonl beside it when all is done.
    """
    lines_path = out if out.suffix == ".jsonl" else out.with_suffix(".jsonl")
    lines_path.parent.mkdir(parents=True, exist_ok=True)
    with system_errors(lines_path), locked(lines_path):
        return _run_all(list(dict.fromkeys(files)), job, lines_path, out)


def _run_all(files: list[str], job: Callable[[str], dict[str, Any]], lines_path: Path, out: Path) -> Summary:
    earlier = {result["file"] for result in read_results(lines_path) if "error" not in result}
    todo = [file for file in files if file not in earlier]
    failed: dict[str, str] = {}
    for file in _tracked(todo, lines_path.name):
        try:
            result = {"file": file, **job(file)}
        except ViewfinderError as error:
            failed[file] = str(error)
            result = {"file": file, "error": str(error)}
        append_values(lines_path, [result])
    _convert(lines_path, out)
    return Summary(len(todo) - len(failed), len(files) - len(todo), failed, out)


def _tracked(files: list[str], title: str) -> Iterable[str]:
    """The files, with a bar on standard error on a terminal."""
    if not sys.stderr.isatty():
        return files
    from rich.console import Console
    from rich.progress import track

    return track(files, title, console=Console(stderr=True))


def read_results(path: Path) -> list[dict[str, Any]]:
    """The last line of each file."""
    return list({result["file"]: result for result in read_kept(path, "file")}.values())


def _convert(lines_path: Path, out: Path) -> None:
    if out == lines_path:
        return
    results = read_results(lines_path)
    text = csv_from_results(results) if out.suffix == ".csv" else coco_from_results(results)
    write_whole(out, text)
