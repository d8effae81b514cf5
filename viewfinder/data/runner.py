"""Runs a plan: shard by shard, here, in processes, or on a cluster, and always with the same result.

    OUT/work/plan.json                what is being made; another plan in the same folder is refused
    OUT/work/shard-000003.json        a shard's rows, counts and bad rows; there means done
    OUT/quarantine.jsonl, report.json, README.md, index.parquet, manifest.json     at the end

A shard is renamed into place when it is whole, so a worker that dies leaves nothing half done: running again makes
what is missing. Which rows a shard takes is fixed by the plan, never by who makes it.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

from viewfinder.data.parent import end_with_parent
from viewfinder.data.plan import OpenModel, Plan, ShardResult, Spec, build_plan
from viewfinder.data.records import dump
from viewfinder.data.shard_index import read_side
from viewfinder.data.shards import ShardWriter, finish, shard_name, side_file
from viewfinder.data.stats import write_card
from viewfinder.errors import DataError
from viewfinder.storage.atomic import remove_partials, write_whole
from viewfinder.storage.checksums import file_sum
from viewfinder.storage.lock import locked
from viewfinder.storage.system_errors import StorageError, read_json, system_errors

Progress = Callable[[str, int, int], None]
"""Told what is being done ("looking at all samples" or "shards"), how many of it are done, and of how many."""
Task = Callable[[int], int]


class Executor(Protocol):
    """Calls a function for each number, in any order and place; gives the numbers back as they finish."""

    def map(self, function: Task, numbers: Sequence[int]) -> Iterable[int]: ...


class InProcess:
    """One after another, here."""

    def map(self, function: Task, numbers: Sequence[int]) -> Iterator[int]:
        for number in numbers:
            yield function(number)


class Processes:
    """A pool of local processes."""

    def __init__(self, workers: int) -> None:
        self.workers = workers

    def map(self, function: Task, numbers: Sequence[int]) -> Iterator[int]:
        from concurrent.futures import ProcessPoolExecutor, as_completed
        from concurrent.futures.process import BrokenProcessPool
        from multiprocessing import get_context

        with ProcessPoolExecutor(self.workers, mp_context=get_context("spawn"), initializer=end_with_parent) as pool:
            try:
                for future in as_completed([pool.submit(function, number) for number in numbers]):
                    yield future.result()
            except BrokenProcessPool as error:
                raise DataError(
                    "a worker was killed (often for want of memory), so the set is not finished; nothing of what was "
                    "done is lost, run the same command again"
                ) from error


def run_plan(
    spec: Spec,
    directory: str | Path,
    executor: Executor | None = None,
    *,
    image_format: str = "png",
    progress: Progress | None = None,
    open_model: OpenModel | None = None,
) -> dict[str, Any]:
    """Make the set that `spec` describes, or what is missing of it, and return its manifest.

    Args:
        spec: source and operators (see `plan`).
        directory: of the set; every worker must see it under this path.
        executor: where the work is done; here when none is given.
        image_format: of pictures that are drawn: "png", "webp" (both without loss) or "jpeg".
        open_model: gives the model of a name, for operators that ask one; sent to workers, so a plain function.

    Raises:
        DataError: a plan that cannot be built, a folder that holds another set, or a kind that gave no sample.
        MissingMaterial: what a kind needs is not on this machine; nothing was drawn.
        OutputInUse: another process makes a set in the folder.
        StorageError: a file that could not be read or written.
    """
    directory = Path(directory).resolve()
    text = json.dumps({**spec, "image_format": image_format})
    plan = _plan(text, open_model)
    with system_errors(directory), locked(directory):
        return _run(plan, text, directory, executor, progress, open_model)


def _run(
    plan: Plan,
    text: str,
    directory: Path,
    executor: Executor | None,
    progress: Progress | None,
    open_model: OpenModel | None,
) -> dict[str, Any]:
    materials = getattr(plan.source, "materials", "")
    _claim(directory, {**json.loads(text), **({"materials": materials} if materials else {})})
    executor = executor or InProcess()
    everything = range(plan.num_shards)
    if plan.barrier < len(plan.operators):
        missing = [i for i in everything if _summaries(directory, i) is None]
        work = executor.map(Summarise(text, str(directory), open_model), missing)
        _watch("looking at all samples", work, len(missing), plan.num_shards, progress)
        _decide(plan, directory)
    missing = [i for i in everything if not _is_made(directory / shard_name(i))]
    work = executor.map(MakeShard(text, str(directory), open_model), missing)
    _watch("shards", work, len(missing), plan.num_shards, progress)
    return _complete(plan, directory, {"plan": json.loads(text), **({"materials": materials} if materials else {})})


def _watch(what: str, work: Iterable[int], missing: int, total: int, progress: Progress | None) -> None:
    for done, _ in enumerate(work, total - missing + 1):
        if progress:
            progress(what, done, total)


@lru_cache(maxsize=4)
def _plan(spec: str, open_model: OpenModel | None) -> Plan:
    """A worker builds its plan once; files are opened and models loaded with it."""
    return build_plan(json.loads(spec), open_model)


def _is_made(shard: Path) -> bool:
    """Whether a shard has the bytes that it was written with; a deleted, cut or changed one is made again."""
    side = read_side(side_file(shard), shard)
    return side is not None and side["sha256"] == file_sum(shard)


def _claim(directory: Path, spec: Spec) -> None:
    note = directory / "work" / "plan.json"
    remove_partials(note.parent)
    if note.exists():
        if read_json(note) != spec:
            raise DataError(
                f"{directory} holds a set of another plan, so the two would mix; choose an empty folder, or give the "
                "same arguments to finish that one"
            )
        return
    if any(directory.glob("shard-*")) or (directory / "manifest.json").exists():
        raise DataError(f"{directory} already holds a set that no plan made; choose an empty folder")
    note.parent.mkdir(parents=True, exist_ok=True)
    write_whole(note, json.dumps(spec, indent=1, ensure_ascii=False) + "\n")


class MakeShard:
    """The work of one number: make that shard. Plain data, so it can be sent anywhere that sees the folder."""

    def __init__(self, spec: str, directory: str, open_model: OpenModel | None = None) -> None:
        self.spec, self.directory, self.open_model = spec, directory, open_model

    def __call__(self, number: int) -> int:
        directory = Path(self.directory)
        plan = _plan(self.spec, self.open_model)
        chosen = directory / "work" / f"dropped-{number:06d}.json"
        dropped = {int(i): why for i, why in read_json(chosen).items()} if chosen.exists() else None
        outcome = plan.run(number, dropped)
        writer = ShardWriter(directory, number, plan.spec.get("image_format", "png"))
        try:
            for sample in outcome.samples:
                writer.add(sample)
        except BaseException:
            writer.abandon()
            raise
        writer.close(_report(outcome))
        return number


class Summarise:
    """What the global operator needs to know of one shard's samples."""

    def __init__(self, spec: str, directory: str, open_model: OpenModel | None = None) -> None:
        self.spec, self.directory, self.open_model = spec, directory, open_model

    def __call__(self, number: int) -> int:
        plan = _plan(self.spec, self.open_model)
        gate = plan.operators[plan.barrier]
        summaries = [gate.summary(sample) for sample in plan.run(number).samples]
        write_whole(_summary_file(Path(self.directory), number), dump({"summaries": summaries}))
        return number


def _summary_file(directory: Path, number: int) -> Path:
    return directory / "work" / f"summary-{number:06d}.json"


def _summaries(directory: Path, number: int) -> list[Any] | None:
    """Of one shard; None where they are not there, or damaged."""
    try:
        return read_json(_summary_file(directory, number))["summaries"]
    except (FileNotFoundError, StorageError, KeyError, TypeError):
        return None


def _decide(plan: Plan, directory: Path) -> None:
    """Let the global operator choose among all samples, and note it by shard."""
    shards = [_summaries(directory, i) or [] for i in range(plan.num_shards)]
    dropped = plan.operators[plan.barrier].decide([one for shard in shards for one in shard])
    at = 0
    for number, shard in enumerate(shards):
        here = {i: dropped[at + i] for i in range(len(shard)) if at + i in dropped}
        write_whole(directory / "work" / f"dropped-{number:06d}.json", json.dumps(here, ensure_ascii=False))
        at += len(shard)


def _report(outcome: ShardResult) -> dict[str, Any]:
    return {
        "bad": [asdict(bad) for bad in outcome.bad],
        "counts": {name: asdict(count) for name, count in outcome.counts.items()},
    }


def _complete(plan: Plan, directory: Path, about: dict[str, Any]) -> dict[str, Any]:
    """Quarantine, report, index, manifest and card, from what the shards left in `work`."""
    shards = [directory / shard_name(i) for i in range(plan.num_shards)]
    sides = [side for shard in shards if (side := read_side(side_file(shard), shard)) is not None]
    if len(sides) < len(shards) or len(list(directory.glob("shard-??????.tar"))) != len(shards):
        raise DataError(
            f"{directory} has {len(sides)} whole shards of {len(shards)}: some were removed or changed meanwhile; run "
            "the same command again, which makes what is missing"
        )
    reports = [side["report"] for side in sides]
    bad = [{"shard": i, **one} for i, report in enumerate(reports) for one in report["bad"]]
    lines = "".join(json.dumps(one, ensure_ascii=False, default=str) + "\n" for one in bad)
    write_whole(directory / "quarantine.jsonl", lines)
    totals: dict[str, dict[str, float]] = {}
    for report in reports:
        for name, count in report["counts"].items():
            total = totals.setdefault(name, dict.fromkeys(count, 0))
            for key, value in count.items():
                total[key] += value
    write_whole(directory / "report.json", json.dumps({"operators": totals, "bad": len(bad)}, indent=1) + "\n")
    check: Callable[[Iterable[str]], None] | None = getattr(plan.source, "check_result", None)
    if check is not None:
        check(row["id"] for side in sides for row in side["rows"])
    manifest = finish(directory, {**about, "quarantined": len(bad)})
    write_card(directory, manifest, totals)
    return manifest
