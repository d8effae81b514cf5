"""One small job a subsystem, which does the same whenever it is started again, and what is left of it to compare."""

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from bench.document_files import lines_of, write_pdf
from tests.chat.library.conftest import Clerk
from tests.data.operators import Boxes, Odd
from tests.doubles import small_processor
from tests.eval.little import NOWHERE, Says, right, words_task
from tests.faults.corrections import correct
from tests.train.making import MADE, make_trainer, train_config
from viewfinder.agent.episodes import play_worlds
from viewfinder.agent.settings import Settings
from viewfinder.agent.worlds import make_world
from viewfinder.agent.worlds.solver import solver
from viewfinder.chat import Viewfinder
from viewfinder.chat.batch import run_many
from viewfinder.chat.library import Library
from viewfinder.data.catalogue import OPERATORS, SOURCES
from viewfinder.data.runner import run_plan
from viewfinder.data.shards import ShardReader
from viewfinder.eval.runner import RunOptions, Subject, run
from viewfinder.outputs.json_lines import read_kept
from viewfinder.storage.atomic import write_whole
from viewfinder.train.checkpoint import newest_state, read_facts, read_tensors


@dataclass(frozen=True)
class Job:
    """`work(out)` is run until it ends; `left(out)` must be the same however often it was killed."""

    work: Callable[[Path], None]
    left: Callable[[Path], Any]


def _sums(folder: Path, *without: str) -> dict[str, str]:
    files = [path for path in folder.rglob("*") if path.is_file() and path.name not in without]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def _train(out: Path) -> None:
    torch.set_num_threads(1)
    make_trainer(train_config(MADE, steps=4, save_every=1, log_every=1, recipe="killed"), out).run()


def _trained(out: Path) -> Any:
    state = newest_state(out / "states")
    assert state is not None
    tensors = {name: hashlib.sha256(t.numpy().tobytes()).hexdigest() for name, t in read_tensors(state, "").items()}
    rows = [(row["step"], row["loss"]) for row in read_kept(out / "metrics.jsonl")]
    return _sums(out / "export"), tensors, read_facts(state), rows


def _build(out: Path) -> None:
    SOURCES["boxes"], OPERATORS["odd"] = (lambda: Boxes), (lambda: Odd)
    source = {"name": "boxes", "count": 40, "faulty": True}
    run_plan({"source": source, "operators": [{"name": "odd"}], "per_shard": 5}, out)


def _built(out: Path) -> Any:
    with ShardReader(out) as reader:
        reader.verify()
        ids = [sample.id for sample in reader.samples()]
    measured = {"report.json", "README.md"} | {path.name for path in (out / "work").iterdir()}  # seconds stand in them
    return ids, _sums(out, *measured)


def _add(out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    pages = [lines_of([f"Page {i}", f"The number of the page is {i * 111}"]) for i in range(4)]
    for name in ("a", "b"):
        if not (out / f"{name}.pdf").exists():
            write_pdf(out / f".{name}.pdf", pages)
            (out / f".{name}.pdf").rename(out / f"{name}.pdf")
        with Library(out / "library.db") as library:
            library.add(Viewfinder(Clerk(out / f"{name}.pdf"), small_processor()), [out / f"{name}.pdf"])


def _added(out: Path) -> Any:
    with Library(out / "library.db") as library:
        files = [(Path(file.path).name, file.pages, file.ready) for file in library.files()]
        hits = sorted((Path(hit.file).name, hit.page.number) for hit in library.search("page number 333", 20))
        return files, hits, library.shelf.files(ready=False)


def _correct(out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    for question in [f"question {i}" for i in range(6)]:
        if not (out / question).exists():
            correct(out / "kept", question)
            write_whole(out / question, "answered")  # a stop before this sends the correction once more


def _corrected(out: Path) -> Any:
    with ShardReader(out / "kept") as reader:
        reader.verify()
        assert len(reader) == len(list((out / "kept").glob("shard-*.tar")))
        return sorted({sample.question for sample in reader.samples()})


def _answer(out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    out = out.resolve()
    os.chdir(out)  # names in the results are the same in every folder
    files = [Path(f"{i}.png") for i in range(40)]
    for file in files:
        file.write_bytes(file.name.encode())
    run_many([str(file) for file in files], lambda file: {"text": f"é of {file}"}, out / "results.csv", {})


def _answered(out: Path) -> Any:
    lines = [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]
    return sorted((line["file"], line["text"]) for line in lines), (out / "results.csv").read_text()


def _evaluate(out: Path) -> None:
    run(words_task(24), NOWHERE, Subject(Says(right), "right"), RunOptions(out=out, concurrency=2))


def _evaluated(out: Path) -> Any:
    return _sums(out, "replies.jsonl"), sorted(line["key"] for line in read_kept(out / "replies.jsonl"))


def _play(out: Path) -> None:
    make = lambda name, seed: make_world(name, "drawn", seed, "test", size=(224, 224))  # noqa: E731
    settings = Settings(grammar=False, steps=12)
    rows = play_worlds(lambda world, seed: solver(world), ["settings"], range(3), make, settings=settings, record=out)
    counted = [{**vars(one), "seconds": 0} for row in rows for one in row.played]
    write_whole(out / "rates.json", json.dumps(counted))


def _played(out: Path) -> Any:
    runs = {path.parent.name: read_kept(path) for path in out.rglob("trajectory.jsonl")}
    lines = {name: [{**line, "seconds": 0} for line in lines] for name, lines in runs.items()}
    return sorted(lines.items()), _sums(out, "trajectory.jsonl", "played.json")


JOBS = {
    "train": Job(_train, _trained),
    "data-build": Job(_build, _built),
    "library": Job(_add, _added),
    "corrections": Job(_correct, _corrected),
    "batch": Job(_answer, _answered),
    "eval": Job(_evaluate, _evaluated),
    "agent-play": Job(_play, _played),
}
