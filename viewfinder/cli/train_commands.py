"""`train` and `plan`: every stage of training, and what it costs before it is run."""

import json
import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from viewfinder.cli import options
from viewfinder.cli.show import interruptible, print_json, print_warning, working

Language = Annotated[
    Path | None,
    typer.Option("--language", help="Start from this language model (Qwen2 or Llama: a directory or a GGUF file)."),
]
Recipe = Annotated[
    str,
    typer.Argument(
        help="pretrain-vision (or its steps vision-contrast, vision-align, vision-end-to-end), pretrain-multimodal, "
        "pretrain-long, sft, dpo, lora, grpo; tiny-tower, tiny-reader, tiny-joint."
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Argument(help="Settings such as steps=500 data.source=shards/ optimizer.adamw_lr=1e-5.", metavar="KEY=VALUE"),
]


def train(
    recipe: Recipe,
    settings: Settings = None,
    out: Annotated[Path, typer.Option("--out", help="Folder of the run; the same command goes on with it.")] = ...,  # type: ignore[assignment]
    init: Annotated[
        str | None, typer.Option("--init", help="Weights to start from: a run, a checkpoint directory, or tiny.")
    ] = None,
    size: Annotated[
        str | None, typer.Option("--size", help="Fresh weights of a size: tiny, 300M, 3B, 7B, 32B, 72B.")
    ] = None,
    language: Language = None,
    data: Annotated[
        str | None,
        typer.Option("--data", help="Short for data.source=: shards, a mixture, or a JSON of conversations."),
    ] = None,
    lora: Annotated[
        bool, typer.Option("--lora", help="Train low-rank adapters and merge them into the exported weights.")
    ] = False,
) -> None:
    is_first = not int(os.environ.get("RANK", "0"))  # under torchrun, one process speaks
    given = [*(settings or []), *([f"data.source={data}"] if data else [])]
    if lora and recipe == "sft":
        recipe = "lora"
    elif lora:
        given = ["lora.rank=16", *given]
    with interruptible(
        "stopped; the same command goes on from its last saved step, or begins again where there is none"
    ):
        if recipe.startswith("tiny-"):
            _train_built_in(recipe, given, out, init)
        else:
            from viewfinder.recipes.run import train as run  # torch and all of training: only when asked for

            tell = print_warning if is_first else lambda _: None
            run(recipe, out, given, init=init, size=size, language=language, extra=_extra_losses, tell=tell)
    if is_first:
        typer.echo(
            f"weights in {out / 'export'}, figures in {out / 'report.html'}" if (out / "export").is_dir() else out
        )


def _train_built_in(recipe: str, settings: list[str], out: Path, init: str | None) -> None:
    from viewfinder.tiny import recipes, run
    from viewfinder.train.config import ConfigError

    if recipe not in recipes.RECIPES:
        raise ConfigError(
            f"there is no recipe {recipe!r}; of the built-in model there are {', '.join(recipes.RECIPES)}"
        )
    run.train(recipe, out, settings, init)


def _extra_losses(config: Any, processor: Any) -> Any:
    """Losses on token labels of generated pictures; imported by the runs whose config names an extra loss."""
    from viewfinder.tiny.extra_losses import build

    return build(config, processor)


def plan(
    recipe: Recipe,
    settings: Settings = None,
    size: Annotated[str, typer.Option("--size", help="tiny, 300M, 3B, 7B, 32B or 72B.")] = "72B",
    language: Language = None,
    world: Annotated[int, typer.Option("--world", min=1, help="Devices.")] = 512,
    tokens: Annotated[
        float | None, typer.Option("--tokens", help="Tokens of the stage; the report's number by default.")
    ] = None,
    device: Annotated[
        str | None, typer.Option("--device", help="H200, H100, A100, L40S, 4090, T4, M4-Max, CPU-AMX, CPU-AVX2, phone.")
    ] = None,
    peak: Annotated[float | None, typer.Option("--peak", help="FLOP/s of one device; 989e12 without --device.")] = None,
    utilisation: Annotated[float, typer.Option("--utilisation", help="Share of it that is reached.")] = 0.4,
    bandwidth: Annotated[float, typer.Option("--bandwidth", help="Bytes/s between devices, each way.")] = 50e9,
    reading: Annotated[
        float | None, typer.Option("--reading", help="Bytes/s of a device's own memory; 3.35e12 as above.")
    ] = None,
    watts: Annotated[float, typer.Option("--watts", help="Of one device with its share of the rest.")] = 1000.0,
    price: Annotated[float, typer.Option("--price", help="Of one device for an hour, in dollars.")] = 2.5,
    memory: Annotated[float | None, typer.Option("--memory", help="Bytes of one device; 80e9 as above.")] = None,
    carbon: Annotated[float, typer.Option("--carbon", min=0, help="Of the grid, in kg of CO2 a kWh.")] = 0.4,
    check: Annotated[bool, typer.Option("--check/--no-check", help="Shard the model on a fake process group.")] = True,
    as_json: options.AsJson = False,
) -> None:
    from viewfinder.recipes.planning import Device, plan_recipe

    more = {"utilisation": utilisation, "bandwidth": bandwidth, "watts": watts, "price": price, "carbon": carbon}
    used = Device.named(device, **more) if device else Device(**more)
    own = {"peak": peak, "memory": memory, "reading": reading}
    used = replace(used, **{name: value for name, value in own.items() if value is not None})
    result = plan_recipe(
        recipe, size, world, settings or [], used, tokens=tokens, check=check, extra=_extra_losses, language=language
    )
    typer.echo(json.dumps(result.to_dict(), indent=2) if as_json else result.table())


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
