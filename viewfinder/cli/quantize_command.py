"""`quantize`: a checkpoint in fewer bits."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from viewfinder.cli import options
from viewfinder.cli.show import print_json, working

Origin = Annotated[str, typer.Argument(help="'tiny', a checkpoint directory, a GGUF file, or a hub id.")]
To = Annotated[str, typer.Option("--to", help="int8, int4, awq, fp8, gguf (Q8_0), gguf-q4_0 or gguf-bf16.")]
Into = Annotated[Path, typer.Option("--out", help="A new folder.")]
Check = Annotated[bool, typer.Option("--check", help="Refuse a result that strays too far; print how far it does.")]
MaxLoss = Annotated[
    float | None,
    typer.Option("--max-loss", min=0.0, help="What --check allows, nats a token (8 bits: 0.02, FP8: 0.03, 4: 0.15)."),
]
Samples = Annotated[int, typer.Option("--samples", min=1, help="Generated samples that awq is calibrated on.")]


def quantize(
    source: Origin,
    to: To,
    out: Into,
    check: Check = False,
    max_loss: MaxLoss = None,
    samples: Samples = 32,
    as_json: options.AsJson = False,
) -> None:
    if out.exists() and any(out.iterdir()):
        raise typer.BadParameter(f"{out} is not empty; name a new folder", param_hint="--out")
    from viewfinder.recipes import quantize as recipe

    if to not in recipe.KINDS:
        known = "; ".join(f"{name}: {what}" for name, what in recipe.KINDS.items())
        raise typer.BadParameter(f"unknown kind {to!r}; give one of {known}", param_hint="--to")
    limit = max_loss if max_loss is not None else recipe.max_loss_of(to) if check else None
    with working(f"{to} of {source}"):
        loss = recipe.quantize(source, out, to, max_loss=limit, samples=samples)
    if as_json:
        size = sum(file.stat().st_size for file in out.iterdir())
        print_json({"out": str(out), "to": to, "bytes": size, "loss": None if loss is None else asdict(loss)})
    else:
        typer.echo(str(out) if loss is None else f"{out}: {loss}")
