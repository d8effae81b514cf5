"""`data check`: a file of conversations before it is trained on: rows, media, places, tokens, what carries loss."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from viewfinder.cli import options
from viewfinder.cli.show import print_json

if TYPE_CHECKING:
    from viewfinder.data.sample import Sample

File = Annotated[Path, typer.Argument(help="A .json list or .jsonl of conversations.")]
SHOWN = 20


def check(
    file: File,
    out: Annotated[Path | None, typer.Option("--out", help="A page with the first rows drawn, .html.")] = None,
    coordinates: Annotated[
        str, typer.Option("--coordinates", help="Places are pixels of: original or model.")
    ] = "original",
    model: Annotated[str, typer.Option("--model", help="Counts tokens as this model would.")] = "tiny",
    fix: Annotated[
        Path | None, typer.Option("--fix", help="Write the rows here, with places in the form that `locate` writes.")
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """Look at a file of conversations before training on it. Exit code 1 when a row cannot be read."""
    from viewfinder.data.sample import Sample
    from viewfinder.data.sources.conversations import ConversationSource

    if coordinates not in ("original", "model"):
        raise typer.BadParameter(f"unknown frame {coordinates!r}; give original or model", param_hint="--coordinates")
    if fix is not None and (fix.resolve().parent, fix.suffix) != (file.resolve().parent, file.suffix):
        raise typer.BadParameter(
            f"{fix} is not a {file.suffix} beside {file}, so paths of media in it would not be found; give such a name",
            param_hint="--fix",
        )
    source = ConversationSource(str(file), coordinates=coordinates)
    rows = list(source.read(0, len(source)))
    samples = [row for row in rows if isinstance(row, Sample)]
    failed = {row.row: row.reason for row in rows if not isinstance(row, Sample)}
    samples, tokens = _tokens(samples, model, failed)
    report: dict[str, Any] = {"rows": len(rows), "readable": len(samples), "failed": failed, **tokens}
    report |= _media(samples) | _places(samples) | _form(samples, file, fix)
    if out is not None:
        from viewfinder.data.gallery import save_page

        save_page(out, [(file.name, samples[:SHOWN])], f"{file.name}: the first {min(SHOWN, len(samples))} rows")
        report["page"] = str(out)
    if as_json:
        print_json(report)
    else:
        typer.echo("\n".join(_lines(report, coordinates)))
    if failed:
        raise typer.Exit(1)


def _media(samples: "Sequence[Sample]") -> dict[str, Any]:
    """How many pictures and clips, and the least and the largest size in pixels."""
    from viewfinder.media.image import load_image
    from viewfinder.messages import ImagePart

    sizes = [load_image(p.image).size for s in samples for p in s.media if isinstance(p, ImagePart)]
    clips = sum(not isinstance(p, ImagePart) for s in samples for p in s.media)
    ends = [min(sizes, key=lambda s: s[0] * s[1]), max(sizes, key=lambda s: s[0] * s[1])] if sizes else []
    return {"pictures": len(sizes), "clips": clips, "smallest_and_largest": ends}


def _places(samples: "Sequence[Sample]") -> dict[str, Any]:
    """Boxes and points, and how far from the top left corner they reach, as a share of their picture."""
    from viewfinder.data.gallery import truth_of
    from viewfinder.media.image import load_image
    from viewfinder.media.transform import Transform
    from viewfinder.messages import ImagePart
    from viewfinder.outputs.boxes import Box

    count, largest = 0, 0.0
    for sample in samples:
        for number, part in enumerate(sample.media):
            if not isinstance(part, ImagePart):
                continue
            size = load_image(part.image).size
            for place in truth_of(sample, number, Transform.identity(size)):
                x, y = (place.x2, place.y2) if isinstance(place, Box) else (place.x, place.y)
                count += 1
                largest = max(largest, x / size[0], y / size[1])
    return {"places": count, "farthest": round(largest, 3)}


def _form(samples: "Sequence[Sample]", file: Path, fix: Path | None) -> dict[str, Any]:
    """Rows whose places are not in the form that `locate` writes; `fix` is where all rows are written in it."""
    from viewfinder.data.places import differing_answers, rewrite_rows
    from viewfinder.data.sources.conversations import read_rows
    from viewfinder.storage.atomic import write_whole

    found = differing_answers(samples)
    report = {
        "other_form": list(found),
        "mixed_with_words": [name for name, one in found.items() if "" in one.values()],
    }
    if fix is None:
        return report
    answers = {old: new for one in found.values() for old, new in one.items()}
    rows = rewrite_rows(read_rows(file), answers)
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    write_whole(fix, "\n".join(lines) + "\n" if fix.suffix == ".jsonl" else "[\n" + ",\n".join(lines) + "\n]\n")
    return {**report, "fixed": str(fix)}


def _tokens(samples: "Sequence[Sample]", model: str, failed: dict[str, str]) -> "tuple[list[Sample], dict[str, Any]]":
    """Samples that become tokens, their tokens, and those that carry loss; others go into `failed`."""
    from viewfinder.cli.inspect_command import open_processor
    from viewfinder.data.places import prepare
    from viewfinder.errors import ViewfinderError
    from viewfinder.inputs import IGNORE_INDEX

    _, processor = open_processor(model)
    lengths: list[int] = []
    trained: list[int] = []
    kept: list[Sample] = []
    for number, sample in enumerate(samples, 1):
        try:
            inputs = prepare(sample, processor).inputs
        except ViewfinderError as error:
            hint = "; of another frame? --coordinates model, or turn 0 to 1000 into pixels first" * (
                "outside" in str(error)
            )
            failed[sample.id or f"sample {number}"] = f"{error}{hint}"
            continue
        kept.append(sample)
        assert inputs.labels is not None
        lengths.append(len(inputs.input_ids))
        trained.append(int((inputs.labels != IGNORE_INDEX).sum()))
    kinds = Counter(sample.form_of(len(sample.messages) - 1) or "text" for sample in kept)
    return kept, {
        "tokens": sum(lengths),
        "longest": max(lengths, default=0),
        "trained": sum(trained),
        "answers": dict(kinds),
    }


def _lines(report: dict[str, Any], coordinates: str) -> list[str]:
    lines = [f"{report['readable']} of {report['rows']} rows can be read"]
    lines += [f"  {name}: {reason}" for name, reason in report["failed"].items()]
    ends = " to ".join(f"{width}x{height}" for width, height in report["smallest_and_largest"])
    lines.append(f"{report['pictures']} pictures{f' of {ends} pixels' if ends else ''}, {report['clips']} clips")
    answers = ", ".join(f"{count} {kind}" for kind, count in report["answers"].items())
    lines.append(f"answers: {answers or 'none'}")
    if report["places"]:
        lines.append(
            f"{report['places']} place{'s' * (report['places'] != 1)}, read as pixels of the {coordinates} picture"
        )
        if report["farthest"] < 0.05:
            lines.append("  all lie in the top left corner: fractions from 0 to 1 have to be turned into pixels first")
    if report["other_form"]:
        lines += _form_lines(report)
    share = report["trained"] / max(1, report["tokens"])
    lines.append(
        f"{report['tokens']:,} tokens, the longest row {report['longest']:,}; {report['trained']:,} ({share:.0%}) "
        "carry loss: the assistant's turns"
    )
    if "page" in report:
        lines.append(f"rows drawn on {report['page']}; what is trained is green")
    return lines


def _form_lines(report: dict[str, Any]) -> list[str]:
    """What the answers' form leads to, and what to do."""
    names, mixed = report["other_form"], len(report["mixed_with_words"])
    more = f" and {len(names) - 3} more" * (len(names) > 3)
    said = (
        f"  {len(names)} answer{'s' * (len(names) != 1)} with places in another form than `locate`, `point` and "
        f"`count` write ({', '.join(names[:3])}{more}): these commands hold a model to a fenced list of bbox_2d or "
        "point_2d and label, and one that learned another form does not know where that list ends"
    )
    lines = [said]
    if "fixed" in report:
        lines.append(f"  {len(names) - mixed} of them rewritten in {report['fixed']}; train on that file")
    elif mixed < len(names):
        lines.append("  --fix OUT writes the rows with that form")
    if mixed:
        lines.append(f"  {mixed} hold words beside the places and stay as they are: ask such a model with `ask`")
    return lines
