"""`study`: the questions that the report leaves open, each answered by one command."""

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import typer

from viewfinder.cli import options
from viewfinder.cli.show import interruptible, print_json, print_warning

Name = Annotated[str, typer.Argument(help="A study by name or number; `list`; `pages` (of what --out holds).")]
Out = Annotated[Path, typer.Option("--out", help="Folder with a folder a study; a stopped study goes on.")]
Train = Annotated[bool, typer.Option("--train", help="Allow what trains small models.")]
Smoke = Annotated[bool, typer.Option("--smoke", help="A few questions of each kind, in seconds: that it runs.")]
Pages = Annotated[Path, typer.Option("--to", help="Where `pages` writes the pages, figures and the summary.")]


def study(
    name: Name,
    model: options.Model = "tiny",
    server: options.Server = None,
    train: Train = False,
    smoke: Smoke = False,
    out: Out = Path("out/studies"),
    to: Pages = Path("docs/studies"),
    as_json: options.AsJson = False,
) -> None:
    from viewfinder.studies.study import NAMES, find_study

    if name == "list":
        _list([find_study(one) for one in NAMES], as_json)
    elif name == "pages":
        _pages(out, to)
    else:
        _run(find_study(name), model, server or options.SERVER.get(), train, smoke, out, as_json)


def _list(studies: list[Any], as_json: bool) -> None:
    rows = [
        {"number": s.number, "name": s.name, "title": s.title, "needs": s.needs, "trains": s.trains} for s in studies
    ]
    if as_json:
        print_json({"studies": rows})
        return
    for row in rows:
        typer.echo(f"{row['number']:2} {row['name']:12} {row['title']}{' (--train)' if row['trains'] else ''}")


def _run(study: Any, model: str, server: str | None, train: bool, smoke: bool, out: Path, as_json: bool) -> None:
    from viewfinder.cli.eval_models import open_viewfinder
    from viewfinder.studies.lab import opened
    from viewfinder.studies.runner import run

    with ExitStack() as until:
        alone, name, fingerprint = None, "", ""
        if study.needs != "nothing":
            alone, name, fingerprint = open_viewfinder(model, server, None, until)
        fields = {"name": name, "fingerprint": fingerprint, "source": model, "smoke": smoke, "train": train}
        folder = out / (f"{study.page}-smoke" if smoke else study.page)
        kept = f"stopped; the same command goes on with what {folder} holds"
        with interruptible(kept), opened(alone, out=folder, **fields) as lab:
            results = run(study, lab, _command(study.name, model, server, train, smoke), print_warning)
    if as_json:
        print_json(results)
    else:
        typer.echo(f"{study.find(results['records']).answer}\n{folder / 'page.md'}")


def _command(name: str, model: str, server: str | None, train: bool, smoke: bool) -> str:
    """The command that makes the same again."""
    asked = f"--server {server} --model {model}" if server else f"--model {model}"
    return " ".join(["viewfinder study", name, asked, *["--train"] * train, *["--smoke"] * smoke])


def _pages(out: Path, to: Path) -> None:
    """Results of `out` are taken over; pages, figures and summary are made of all that are kept beside them."""
    from viewfinder.storage.atomic import write_whole
    from viewfinder.studies.figure import summary
    from viewfinder.studies.runner import write_files
    from viewfinder.studies.study import NAMES, find_study

    found: dict[str, Any] = {}
    kept = to / "results"
    if not [*out.glob("*/results.json"), *kept.glob("*.json")]:
        raise typer.BadParameter(f"{out} holds no results of studies; run one", param_hint="--out")
    kept.mkdir(parents=True, exist_ok=True)
    for study in map(find_study, NAMES):
        new, file = out / study.page / "results.json", kept / f"{study.page}.json"
        if new.is_file():
            write_whole(file, new.read_text())
        if file.is_file():
            found[study.name] = json.loads(file.read_text())
            write_files(study, found[study.name], to, study.page, study.page)
    notes = kept / "notes.json"
    write_whole(to / "README.md", summary(found, json.loads(notes.read_text()) if notes.is_file() else {}))
    print_warning(f"{len(found)} of {len(NAMES)} studies are in {to}")
