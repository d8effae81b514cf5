"""One job over many files: each result is a line of a JSONL file as soon as it is there.

A line says with which model and options it was made and of which content, so an interrupted run goes on where it
stopped, a changed file is done again, and another question or model is refused. A file that fails is a line with
`error`, is tried again next time, and never stops the others.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from viewfinder.chat.answer_cache import AnswerCache
from viewfinder.errors import ViewfinderError
from viewfinder.media.digest import digest_content
from viewfinder.media.find import split_page
from viewfinder.outputs.export import coco_from_results, csv_from_results, jsonl_from_results
from viewfinder.storage.atomic import write_whole
from viewfinder.storage.lock import locked
from viewfinder.storage.system_errors import system_errors

Progress = Callable[[int, int, dict[str, Any]], None]
"""Called with files done, files to do, and the latest result."""


@dataclass(frozen=True)
class Summary:
    """How a run ended. `failed` maps files to the reason; `changed` files had other content than in an earlier run;
    `left` files were not reached because the run was stopped."""

    done: int
    skipped: int
    failed: dict[str, str]
    out: Path
    changed: int = 0
    left: int = 0
    rows: tuple[dict[str, Any], ...] = ()
    """The results of the files asked for, earlier ones included, in order."""

    def to_dict(self) -> dict[str, Any]:
        counts = {"done": self.done, "skipped": self.skipped, "changed": self.changed, "left": self.left}
        return {**counts, "failed": self.failed, "out": str(self.out)}

    def sentence(self) -> str:
        said = f"{self.done} done, {self.skipped} were there already, {len(self.failed)} failed; see {self.out}"
        lines = [said, *(f"  {file}: {reason}" for file, reason in self.failed.items())]
        if self.changed:
            again = "1 was done again, for its" if self.changed == 1 else f"{self.changed} were done again, for their"
            lines.insert(1, f"{again} content has changed")
        if self.left:
            lines.append(f"stopped with {self.left} to do; the same command goes on with them")
        return "\n".join(lines)


def run_many(
    files: Iterable[str],
    job: Callable[[str], dict[str, Any]],
    out: Path,
    settings: Mapping[str, Any],
    *,
    workers: int = 1,
    progress: Progress | None = None,
) -> Summary:
    """Run `job` on each file and write results to `out`, which one process at a time may do.

    Args:
        out: ends in .jsonl; a .csv or .json (COCO) is made from a .jsonl beside it, also when the run is stopped.
        settings: all that a result depends on beside the file.
        workers: files that are worked on at the same time.

    Raises:
        SettingsError: `out` was begun with other settings.
    """
    lines_path = out if out.suffix == ".jsonl" else out.with_suffix(".jsonl")
    lines_path.parent.mkdir(parents=True, exist_ok=True)
    with system_errors(lines_path), locked(lines_path):
        kept = AnswerCache(lines_path, settings)
        return _run_all(list(dict.fromkeys(files)), job, kept, out, workers, progress)


def _run_all(
    files: list[str],
    job: Callable[[str], dict[str, Any]],
    kept: AnswerCache,
    out: Path,
    workers: int,
    progress: Progress | None,
) -> Summary:
    earlier = {row["file"]: row["content"] for row in kept.rows if "error" not in row}
    contents = {file: _content(file) for file in files}
    todo = [file for file in files if not contents[file] or earlier.get(file) != contents[file]]
    failed: dict[str, str] = {}
    done = 0

    def work(file: str) -> dict[str, Any]:
        try:
            return {"file": file, **job(file)}
        except ViewfinderError as error:
            return {"file": file, "error": str(error)}

    try:
        for result in _each(work, todo, workers):
            kept.add(contents[result["file"]], result)
            done += 1
            if "error" in result:
                failed[result["file"]] = result["error"]
            if progress is not None:
                progress(done, len(todo), result)
    except KeyboardInterrupt:
        pass
    rows = _current(kept.rows, files)
    assert kept.path is not None
    write_whole(kept.path, jsonl_from_results(rows))
    if out != kept.path:
        write_whole(out, csv_from_results(rows) if out.suffix == ".csv" else coco_from_results(rows))
    changed = sum(file in earlier for file in todo)
    asked = tuple(row for row in rows if row["file"] in contents)
    return Summary(done - len(failed), len(files) - len(todo), failed, out, changed, len(todo) - done, asked)


def _each(work: Callable[[str], dict[str, Any]], files: Sequence[str], workers: int) -> Iterator[dict[str, Any]]:
    """Results as they are there, of at most `workers` files at once; nothing more is begun once the caller stops."""
    if workers <= 1:
        yield from map(work, files)
        return
    pool = ThreadPoolExecutor(workers)
    try:
        waiting = iter(files)
        running: set[Future[dict[str, Any]]] = set()
        while True:
            running |= {pool.submit(work, file) for file in islice(waiting, workers - len(running))}
            if not running:
                return
            ended, running = wait(running, return_when=FIRST_COMPLETED)
            yield from (future.result() for future in ended)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _content(file: str) -> str:
    """The digest of a file; empty where it cannot be read, which the job says."""
    try:
        return digest_content(split_page(file)[0])
    except (ViewfinderError, OSError):
        return ""


def _current(rows: Sequence[dict[str, Any]], files: Sequence[str]) -> list[dict[str, Any]]:
    """The last row of each file; errors only of the files of this run."""
    latest = {row["file"]: row for row in rows}
    place = {file: i for i, file in enumerate(files)}
    current = [row for file, row in latest.items() if "error" not in row or file in place]
    return sorted(current, key=lambda row: place.get(row["file"], -1))
