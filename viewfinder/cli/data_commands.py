"""`viewfinder data ...`: make, read in, filter, mix and pack sets of samples; looking at them is `data_views`."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from viewfinder.cli import options
from viewfinder.cli.data_check import check
from viewfinder.cli.data_views import VIEWS, Directory
from viewfinder.cli.lazy import subgroup
from viewfinder.cli.show import counting, print_json, print_warning

data = subgroup()

Out = Annotated[Path, typer.Option("--out", help="Folder for the set; running again finishes what is missing.")]
PerShard = Annotated[int, typer.Option("--per-shard", min=1, help="Rows in one shard, the unit of work.")]
Workers = Annotated[int, typer.Option("--workers", min=1, help="Processes on this machine.")]
Ray = Annotated[str | None, typer.Option("--ray", help="Run on Ray: 'local', or a cluster's address.")]
ImageFormat = Annotated[str, typer.Option("--image-format", help="png (exact), webp (exact, slow) or jpeg.")]
Measure = Annotated[
    str, typer.Option("--measure", help="Count tokens with 'tiny', 'official' or a checkpoint; 'none' counts nothing.")
]


@data.command()
def build(
    names: Annotated[list[str], typer.Argument(metavar="KIND...", help="Kinds, or kind=weight; see `data kinds`.")],
    out: Out,
    count: Annotated[int, typer.Option("--count", min=1, help="Samples in all.")] = 1000,
    seed: Annotated[int, typer.Option("--seed", help="Equal seeds give equal sets.")] = 0,
    min_side: Annotated[int, typer.Option("--min-side", min=56, help="Shortest side of pictures, pixels.")] = 112,
    max_side: Annotated[int, typer.Option("--max-side", min=56, help="Longest side of pictures, pixels.")] = 336,
    difficulty: Annotated[
        float, typer.Option("--difficulty", min=0, max=1, help="0 few and large, 1 many and small.")
    ] = 0.5,
    held_out: Annotated[
        bool, typer.Option("--held-out", help="Only held-out fonts, categories, layouts, languages.")
    ] = False,
    languages: Annotated[str, typer.Option("--languages", help="Such as de,zh; all of a kind by default.")] = "",
    objects: Annotated[
        list[str] | None, typer.Option("--objects", help="A library of named pictures; repeatable.")
    ] = None,
    fonts: Annotated[
        list[str] | None, typer.Option("--fonts", help="A folder of fonts beside the shipped ones; repeatable.")
    ] = None,
    per_shard: PerShard = 500,
    workers: Workers = 1,
    ray: Ray = None,
    image_format: ImageFormat = "png",
    measure: Measure = "tiny",
) -> None:
    """Make samples with exact truth."""
    from viewfinder.data.synth.kinds import find_kind

    kinds = _weights(names)
    for name in kinds:
        find_kind(name)  # a mistyped one is answered before anything that draws is imported
    options: dict[str, Any] = {
        "min_side": min_side,
        "max_side": max_side,
        "difficulty": difficulty,
        "split": "held_out" if held_out else "train",
        "languages": [part for part in languages.split(",") if part],
        "objects": list(objects or []),
        "fonts": list(fonts or []),
    }
    source = {"name": "synth", "kinds": kinds, "count": count, "seed": seed, "options": options}
    _run({"source": source, "operators": _measuring(measure), "per_shard": per_shard}, out, workers, ray, image_format)


@data.command(name="import")
def import_(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE", help="Such as folder, coco, conversations, html, warc, pdf; see `data sources`."
        ),
    ],
    path: Annotated[Path, typer.Argument(help="A file or folder of that shape.")],
    out: Out,
    option: Annotated[
        list[str] | None, typer.Option("--set", help="An argument of the source, key=value; repeatable.")
    ] = None,
    license: Annotated[str, typer.Option("--license", "--licence", help="Of the media, as an SPDX name.")] = "unknown",
    per_shard: PerShard = 500,
    workers: Workers = 1,
    ray: Ray = None,
    image_format: ImageFormat = "png",
    measure: Measure = "tiny",
) -> None:
    """Read rows of files; what cannot be read goes to quarantine.jsonl with the reason."""
    source: dict[str, Any] = {"name": kind, "path": str(path.resolve()), "license": license, **_arguments(option)}
    _run({"source": source, "operators": _measuring(measure), "per_shard": per_shard}, out, workers, ray, image_format)


@data.command(name="filter")
def filter_(
    directory: Directory,
    names: Annotated[
        list[str], typer.Argument(metavar="OPERATOR...", help="Operators; arguments as name:key=value,key=value.")
    ],
    out: Out,
    per_shard: PerShard = 500,
    workers: Workers = 1,
    ray: Ray = None,
) -> None:
    """Pass a set through operators into a new one; `quarantine.jsonl` says what went and why."""
    operators = [_operator(name) for name in names]
    source = {"name": "shards", "path": str(directory.resolve())}
    _run({"source": source, "operators": operators, "per_shard": per_shard}, out, workers, ray, "png")


@data.command()
def mix(
    sets: Annotated[
        list[str], typer.Argument(metavar="SET=WEIGHT...", help="Finished sets and their weights by samples.")
    ],
    out: Annotated[Path, typer.Option("--out", help="The mixture, a .json file.")],
    stage: Annotated[str, typer.Option("--stage", help="Name of the stage; others in the file stay.")] = "train",
    seed: Annotated[int, typer.Option("--seed")] = 0,
) -> None:
    """Note weights of sets for a training stage; reading it resumes exactly at any sample."""
    from viewfinder.data.mixture import open_mixture, write_mixture

    content = json.loads(out.read_text()) if out.exists() else {"stages": {}}
    root = out.parent.resolve()
    weights = {_relative(Path(name), root): weight for name, weight in _weights(sets).items()}
    write_mixture(out, {**content["stages"], stage: weights}, seed)
    mixture = open_mixture(out, stage)
    for name, share, reader in zip(mixture.names, mixture.shares, mixture.readers, strict=True):
        typer.echo(f"{share:6.1%}  {name}  ({len(reader):,} samples)")


@data.command()
def pack(
    directory: Directory,
    lengths: Annotated[
        list[int] | None,
        typer.Option("--length", min=64, help="Tokens of a pack; repeatable. 8192 and 32768 by default."),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Folder for the files; the set's own by default.")] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the order.")] = 0,
    as_json: options.AsJson = False,
) -> None:
    """Fix which samples share a sequence, and tell how many steps that is and how full they are."""
    from dataclasses import asdict

    from viewfinder.data.packs import write_packs
    from viewfinder.data.shards import ShardReader

    with ShardReader(directory) as reader:
        made = [
            write_packs(reader, (out or directory) / f"packs-{length}.parquet", length, seed)
            for length in lengths or (8192, 32768)
        ]
    if as_json:
        print_json({"packs": [asdict(one) for one in made]})
        return
    for one in made:
        typer.echo(
            f"{one.length:,} tokens: {one.packs:,} packs of {one.samples:,} samples, {one.tokens:,} tokens, "
            f"{one.fill:.1%} full"
        )
        if one.too_long:
            print_warning(f"{one.too_long:,} samples are longer than {one.length:,} tokens and are in none of them")


def _run(spec: dict[str, Any], out: Path, workers: int, ray: str | None, image_format: str) -> None:
    from viewfinder.data.runner import Executor, InProcess, Processes, run_plan

    executor: Executor = Processes(workers) if workers > 1 else InProcess()
    if ray is not None:
        from viewfinder.data.distributed import RayTasks

        executor = RayTasks(None if ray == "local" else ray, max(2, workers))
    with counting("shards") as show:
        manifest = run_plan(
            spec, out, executor, image_format=image_format, open_model=open_chat_model,
            progress=lambda what, done, total: show(done, total, what),
        )  # fmt: skip
    drawn = f", materials {manifest['materials']}" if "materials" in manifest else ""
    typer.echo(f"{manifest['samples']:,} samples in {out}, hash {manifest['hash'][:16]}{drawn}")
    if manifest["quarantined"]:
        print_warning(f"{manifest['quarantined']:,} rows set aside; {out / 'quarantine.jsonl'} says why")


def open_chat_model(name: str) -> Any:
    """The `ChatModel` that an operator asks: a server's (URL, or URL#MODEL), or one loaded in the worker."""
    from viewfinder.chat import load

    if not name.startswith(("http://", "https://")):
        return load(name).model
    from viewfinder.cli.options import open_server

    url, _, model = name.partition("#")
    return open_server(url, model or "tiny").model


def _weights(names: Sequence[str]) -> dict[str, float]:
    """`name` weighs 1, `name=3` weighs 3."""
    result: dict[str, float] = {}
    for name in names:
        key, equals, weight = name.rpartition("=")
        try:
            result[key if equals else name] = float(weight) if equals else 1.0
        except ValueError as error:
            raise typer.BadParameter(f"{name!r} has no number as its weight; write name=3") from error
    return result


def _relative(path: Path, root: Path) -> str:
    full = path.resolve()
    return str(full.relative_to(root)) if full.is_relative_to(root) else str(full)


def _measuring(model: str) -> list[dict[str, Any]]:
    return [] if model == "none" else [{"name": "measure", "model": model}]


def _operator(text: str) -> dict[str, Any]:
    """`near_duplicates:text=0.8,image=4` as an operator of a plan."""
    name, _, rest = text.partition(":")
    return {"name": name, **_arguments(rest.split(",") if rest else [])}


def _arguments(pairs: Sequence[str] | None) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for pair in pairs or ():
        key, equals, value = pair.partition("=")
        if not equals:
            raise typer.BadParameter(f"{pair!r} is no key=value", param_hint="--set")
        try:
            result[key] = json.loads(value)
        except ValueError:
            result[key] = value
    return result


for view in (*VIEWS, check):
    data.command()(view)
