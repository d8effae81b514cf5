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
from pathlib import Path
from typing import Any, Protocol

from viewfinder.data.card import write_card
from viewfinder.data.plan import Outcome, Plan, Spec, build_plan
from viewfinder.data.records import dump
from viewfinder.data.shards import ShardWriter, finish, shard_name, side_file
from viewfinder.errors import DataError

Progress = Callable[[int, int], None]
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
        from multiprocessing import get_context

        with ProcessPoolExecutor(self.workers, mp_context=get_context("spawn")) as pool:
            for future in as_completed([pool.submit(function, number) for number in numbers]):
                yield future.result()


def run_plan(
    spec: Spec,
    directory: str | Path,
    executor: Executor | None = None,
    *,
    image_format: str = "png",
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Make the set that `spec` describes, or what is missing of it, and return its manifest.

    Raises:
        DataError: a plan that cannot be built, or a folder that holds another set.
    """
    directory = Path(directory)
    spec = json.loads(json.dumps({**spec, "image_format": image_format}))
    plan = build_plan(spec)
    _claim(directory, spec)
    executor = executor or InProcess()
    everything = range(plan.num_shards)
    if plan.barrier < len(plan.operators):
        missing = [i for i in everything if not _summary_file(directory, i).exists()]
        for _ in executor.map(Summarise(spec, str(directory)), missing):
            pass
        _decide(plan, directory)
    missing = [i for i in everything if not side_file(directory / shard_name(i)).exists()]
    done = plan.num_shards - len(missing)
    for _ in executor.map(MakeShard(spec, str(directory)), missing):
        done += 1
        if progress:
            progress(done, plan.num_shards)
    return _complete(spec, directory, plan.num_shards)


def _claim(directory: Path, spec: Spec) -> None:
    note = directory / "work" / "plan.json"
    if note.exists():
        if json.loads(note.read_text()) != spec:
            raise DataError(
                f"{directory} holds a set of another plan, so the two would mix; choose an empty folder, or give the "
                "same arguments to finish that one"
            )
        return
    if any(directory.glob("shard-*")) or (directory / "manifest.json").exists():
        raise DataError(f"{directory} already holds a set that no plan made; choose an empty folder")
    note.parent.mkdir(parents=True, exist_ok=True)
    note.write_text(json.dumps(spec, indent=1, ensure_ascii=False) + "\n")


class MakeShard:
    """The work of one number: make that shard. Plain data, so it can be sent anywhere that sees the folder."""

    def __init__(self, spec: Spec, directory: str) -> None:
        self.spec, self.directory = spec, directory

    def __call__(self, number: int) -> int:
        directory = Path(self.directory)
        chosen = directory / "work" / f"dropped-{number:06d}.json"
        dropped = {int(i): why for i, why in json.loads(chosen.read_text()).items()} if chosen.exists() else None
        outcome = build_plan(self.spec).run(number, dropped)
        writer = ShardWriter(directory, number, self.spec.get("image_format", "png"))
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

    def __init__(self, spec: Spec, directory: str) -> None:
        self.spec, self.directory = spec, directory

    def __call__(self, number: int) -> int:
        plan = build_plan(self.spec)
        gate = plan.operators[plan.barrier]
        summaries = [gate.summary(sample) for sample in plan.run(number).samples]
        path = _summary_file(Path(self.directory), number)
        partial = path.with_suffix(".partial")
        partial.write_bytes(dump({"summaries": summaries}))
        partial.rename(path)
        return number


def _summary_file(directory: Path, number: int) -> Path:
    return directory / "work" / f"summary-{number:06d}.json"


def _decide(plan: Plan, directory: Path) -> None:
    """Let the global operator choose among all samples, and note it by shard."""
    shards = [json.loads(_summary_file(directory, i).read_text())["summaries"] for i in range(plan.num_shards)]
    dropped = plan.operators[plan.barrier].decide([one for shard in shards for one in shard])
    at = 0
    for number, shard in enumerate(shards):
        here = {i: dropped[at + i] for i in range(len(shard)) if at + i in dropped}
        (directory / "work" / f"dropped-{number:06d}.json").write_text(json.dumps(here, ensure_ascii=False))
        at += len(shard)


def _report(outcome: Outcome) -> dict[str, Any]:
    return {
        "bad": [asdict(bad) for bad in outcome.bad],
        "counts": {name: asdict(count) for name, count in outcome.counts.items()},
    }


def _complete(spec: Spec, directory: Path, num_shards: int) -> dict[str, Any]:
    """Quarantine, report, index, manifest and card, from what the shards left in `work`."""
    reports = [json.loads(side_file(directory / shard_name(i)).read_text())["report"] for i in range(num_shards)]
    bad = [{"shard": i, **one} for i, report in enumerate(reports) for one in report["bad"]]
    lines = "".join(json.dumps(one, ensure_ascii=False, default=str) + "\n" for one in bad)
    (directory / "quarantine.jsonl").write_text(lines)
    totals: dict[str, dict[str, float]] = {}
    for report in reports:
        for name, count in report["counts"].items():
            total = totals.setdefault(name, dict.fromkeys(count, 0))
            for key, value in count.items():
                total[key] += value
    (directory / "report.json").write_text(json.dumps({"operators": totals, "bad": len(bad)}, indent=1) + "\n")
    manifest = finish(directory, {"plan": spec, "quarantined": len(bad)})
    write_card(directory, manifest, totals)
    return manifest
