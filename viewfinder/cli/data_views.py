"""The commands of `viewfinder data` that only look: kinds, sources, samples on a page, counts, hashes."""

from pathlib import Path
from typing import Annotated, Any

import typer

from viewfinder.cli import options
from viewfinder.cli.show import print_json, print_warning

Directory = Annotated[Path, typer.Argument(help="A finished set of samples.")]


def kinds(
    as_json: options.AsJson = False,
) -> None:
    """List the kinds of samples that can be made, what each needs, and whether this machine has it."""
    from viewfinder.data.synth.kinds import KINDS
    from viewfinder.materials.needs import NEEDS, missing
    from viewfinder.materials.shipped import set_name

    lacking = {need.name for need in missing(NEEDS)}
    if as_json:
        listed = [
            {
                "name": k.name,
                "about": k.about,
                "version": k.version,
                "needs": k.needs,
                "missing": [*lacking & {*k.needs}],
            }
            for k in KINDS.values()
        ]
        print_json({"materials": set_name(), "kinds": listed})
        return
    for kind in KINDS.values():
        needs = ", ".join(f"{name} (missing)" if name in lacking else name for name in kind.needs)
        typer.echo(f"{kind.name:14} {kind.about}{f'; needs {needs}' if needs else ''}")
    typer.echo(f"\nAll draw with the shipped fonts and pictures, {set_name()}; their files are whole.")
    for name in sorted(lacking):
        typer.echo(f"missing: {name}; {NEEDS[name].remedy}")


def sources() -> None:
    """List what `import` reads and what `filter` applies, each with its arguments."""
    import inspect as signatures

    from viewfinder.data.catalogue import FILES, OPERATORS, SOURCES

    for title, generators in (("sources", {name: SOURCES[name] for name in FILES}), ("operators", OPERATORS)):
        typer.echo(f"{title}:")
        for name, entry in generators.items():
            parameters = [str(p) for p in signatures.signature(entry()).parameters.values() if p.name != "about"]
            about = (entry().__doc__ or "").splitlines()[0]
            typer.echo(f"  {name:17} {about}\n{'':20}{', '.join(part.replace(chr(39), '') for part in parameters)}")


def inspect(
    directory: Directory,
    out: Annotated[Path, typer.Option("--out", help="The page, an .html file.")] = Path("samples.html"),
    count: Annotated[int, typer.Option("--count", min=1, help="How many samples.")] = 20,
    start: Annotated[int, typer.Option("--start", min=0)] = 0,
    task: Annotated[str | None, typer.Option("--task", help="Only samples of this task.")] = None,
) -> None:
    """Draw samples with their truth on a web page; what is trained is green."""
    from viewfinder.data.gallery import save_page
    from viewfinder.data.shards import ShardReader

    with ShardReader(directory) as reader:
        chosen = [i for i, name in enumerate(reader.index["task"]) if task is None or task in name.split("+")]
        samples = [reader[i] for i in chosen[start : start + count]]
    save_page(out, [(directory.name, samples)], str(directory))
    typer.echo(f"{len(samples)} samples on {out}")


def gallery(
    names: Annotated[list[str] | None, typer.Argument(metavar="KIND...", help="Kinds; all by default.")] = None,
    out: Annotated[Path, typer.Option("--out", help="The page, an .html file.")] = Path("gallery.html"),
    count: Annotated[int, typer.Option("--count", min=1, help="Samples of each kind.")] = 10,
    seed: Annotated[int, typer.Option("--seed")] = 0,
    max_side: Annotated[int, typer.Option("--max-side", min=56)] = 336,
) -> None:
    """Make a few samples of each kind and draw them on a web page."""
    from viewfinder.data.gallery import save_page
    from viewfinder.data.synth.kinds import KINDS, Options, make
    from viewfinder.errors import DataError

    groups: list[tuple[str, list[Any]]] = []
    for name in names or list(KINDS):
        try:
            groups.append((name, [make(name, seed, i, Options(max_side=max_side)) for i in range(count)]))
        except DataError as error:
            if names:
                raise
            print_warning(str(error))
    save_page(out, groups, "Samples of each kind")
    typer.echo(f"{len(groups)} kinds on {out}")


def stats(
    directory: Directory,
    plot: Annotated[Path | None, typer.Option("--plot", help="Write the distributions as a picture.")] = None,
    most: Annotated[int, typer.Option("--most", min=1, help="Samples to open for sizes and lengths.")] = 2000,
    as_json: options.AsJson = False,
) -> None:
    """Count tasks, languages and licenses; measure sizes and lengths."""
    from viewfinder.data.shards import ShardReader
    from viewfinder.data.stats import measure_set
    from viewfinder.data.stats import plot as save_plot

    with ShardReader(directory) as reader:
        found = measure_set(reader, most)
    if plot:
        save_plot(found, plot)
    if as_json:
        print_json(found.summary())
        return
    typer.echo(f"{found.samples:,} samples")
    for name, counts in found.counts.items():
        typer.echo(f"\n{name}")
        top = max(counts.values(), default=1)
        for key, value in list(counts.items())[:20]:
            typer.echo(f"  {key:24.24} {value:8,} {'█' * round(30 * value / top)}")
    typer.echo("")
    for name, values in found.summary()["measures"].items():
        typer.echo(f"{name:20} " + "  ".join(f"{key} {value:g}" for key, value in values.items()))


def verify(directory: Directory) -> None:
    """Compare every shard with the manifest's hashes."""
    from viewfinder.data.shards import ShardReader

    with ShardReader(directory) as reader:
        reader.verify()
        typer.echo(f"{len(reader):,} samples, {len(reader.manifest['shards'])} shards, all as the manifest says")


VIEWS = (kinds, sources, inspect, gallery, stats, verify)
"""The commands of `data` in this file."""
