"""`agent play`: success rates in worlds and MiniWoB++; `agent samples`: training samples of worlds."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from viewfinder.cli import options
from viewfinder.cli.show import print_json, print_warning, working
from viewfinder.storage.atomic import write_whole

Renderer = Annotated[str, typer.Option("--renderer", help="drawn, web (Chromium) or window (Tk on Xvfb).")]
Split = Annotated[str, typer.Option("--split", help="train, or test: words and looks that no training sample has.")]
_SMALL = 65_536
"""Tokens of a vocabulary that no official checkpoint goes below (they have 151,665)."""


def split_of(name: str) -> str:
    """train or test, or a sentence."""
    if name not in ("train", "test"):
        raise typer.BadParameter(f"unknown split {name!r}; give train or test", param_hint="--split")
    return name


def prompt_form(asked: Any) -> Any:
    """The official prompt for models with the official vocabulary, few words for the small ones of this package."""
    return "official" if asked.processor.tokenizer.vocab_size > _SMALL else "compact"


def play(
    names: Annotated[list[str] | None, typer.Argument(help="Worlds, or tasks of MiniWoB++; all by default.")] = None,
    policy: Annotated[
        str, typer.Option("--policy", "--player", help="model, solver (knows the truth) or random.")
    ] = "model",
    model: options.Model = "tiny",
    miniwob: Annotated[
        bool, typer.Option("--miniwob", help="MiniWoB++'s single-click tasks instead of our worlds.")
    ] = False,
    renderer: Renderer = "drawn",
    split: Split = "test",
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="Instances of each.")] = 20,
    size: Annotated[int, typer.Option("--size", min=140, help="Side of the screen, pixels.")] = 308,
    scale: Annotated[float, typer.Option("--scale", min=0.5, help="Of MiniWoB++'s pages of 160x210.")] = 1.4,
    steps: Annotated[int, typer.Option("--steps", min=1)] = 15,
    record: Annotated[Path | None, typer.Option("--record", help="Keep every run below this folder.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Write rates and episodes as JSON.")] = None,
    as_json: options.AsJson = False,
) -> None:
    """Success rate with intervals, steps, and clicks inside the target, on held-out instances."""
    from viewfinder.agent.episodes import play_worlds, table
    from viewfinder.agent.settings import Settings

    speaker, seen = _policy(policy, model, miniwob)
    make, known, close = _environments(miniwob, renderer, split_of(split), size, scale)
    settings = Settings(steps=steps, grammar=policy == "model", **seen)
    about = {"player": policy, "model": model if policy == "model" else None, "split": split, "renderer": renderer}
    about |= {"miniwob": miniwob}
    depends = {**about, "size": size, "scale": scale, "steps": steps}
    try:
        rows = play_worlds(
            speaker, names or known, range(seeds), make, settings=settings, record=record, about=depends,
            on_episode=lambda one: print_warning(f"{one.world} {one.seed}: {'done' if one.success else one.reason}"),
        )  # fmt: skip
    finally:
        close()
    result = {**about, "worlds": [row.to_dict() for row in rows]}
    if out:
        write_whole(out, json.dumps(result, indent=1) + "\n")
    print_json(result) if as_json else typer.echo(table(rows))


def _policy(policy: str, model: str, miniwob: bool) -> tuple[Any, dict[str, Any]]:
    """From the world and its seed to who plays; and the pixels and the prompt that a model sees."""
    from viewfinder.agent.miniwob import oracle
    from viewfinder.agent.scripted import random_clicker
    from viewfinder.agent.worlds.solver import solver

    if policy == "solver":
        return (lambda world, seed: oracle(world) if miniwob else solver(world)), {}
    if policy == "random":
        return (lambda world, seed: random_clicker(world.device, seed)), {}
    if policy != "model":
        raise typer.BadParameter(f"unknown policy {policy!r}; give model, solver or random", param_hint="--policy")
    asked = options.open_model(model)
    seen = asked.processor.settings
    given = {"min_pixels": seen.min_pixels, "max_pixels": seen.max_pixels, "form": prompt_form(asked)}
    return (lambda world, seed: asked.model), given


def _environments(
    miniwob: bool, renderer: str, split: str, size: int, scale: float
) -> tuple[Callable[[str, int], Any], list[str], Callable[[], None]]:
    """How worlds are made, their names, and what to close at the end: one browser serves all."""
    from viewfinder.agent.miniwob import CLICKS, MiniWob
    from viewfinder.agent.worlds import APPS, make_world

    browser: Any = None
    if miniwob or renderer == "web":
        from viewfinder.agent.browser import Chromium

        browser = Chromium(shipped_fonts=True)
    given = {"chromium": browser} if browser else {}

    def make(name: str, seed: int) -> Any:
        if miniwob:
            return MiniWob(name, seed=seed, scale=scale, **given)
        return make_world(name, renderer, seed, split, size=(size, size), **given)  # type: ignore[arg-type]

    return make, list(CLICKS if miniwob else APPS), browser.close if browser else lambda: None


def samples(
    directory: Annotated[Path, typer.Argument(help="Empty folder for the shards.")],
    count: Annotated[int, typer.Option("--count", min=1)] = 10_000,
    split: Split = "train",
    seed: Annotated[int, typer.Option("--seed")] = 0,
    web: Annotated[float, typer.Option("--web", min=0, max=1, help="Share of episodes drawn by Chromium.")] = 0.0,
    least: Annotated[int, typer.Option("--least", min=140, help="Least side of a screen, pixels.")] = 224,
    most: Annotated[int, typer.Option("--most", min=140, help="Largest side of a screen, pixels.")] = 336,
    official: Annotated[bool, typer.Option("--official", help="The official, longer prompt.")] = False,
    pointing: Annotated[
        bool, typer.Option("--pointing", help="Only clicks on one named thing, several a screen.")
    ] = False,
) -> None:
    """Training samples from the worlds as shards: screen, task, thought, action, and the box to hit."""
    from viewfinder.agent.samples import Style, pointing_samples, world_samples
    from viewfinder.agent.worlds import make_world
    from viewfinder.data.shards import write_shards
    from viewfinder.materials.shipped import set_name

    if least > most:
        raise typer.BadParameter(f"--least {least} is over --most {most}, so no screen fits; lower it")
    renderers = tuple((name, weight) for name, weight in (("drawn", 1 - web), ("web", web)) if weight)
    style = Style(sizes=(least, most), renderers=renderers, form="official" if official else "compact")
    browser: Any = None
    if web:
        from viewfinder.agent.browser import Chromium

        browser = Chromium(shipped_fonts=True)

    def make(name: str, renderer: str, *given: Any, **more: Any) -> Any:
        if renderer == "web":
            more["chromium"] = browser
        return make_world(name, renderer, *given, **more)  # type: ignore[arg-type]

    try:
        generate = pointing_samples if pointing else world_samples
        stream = generate(count, seed=seed, split=split_of(split), style=style, make=make)  # type: ignore[arg-type]
        with working(f"writing {count} samples"):
            about = {"source": "worlds", "split": split, "seed": seed, "materials": set_name()}
            manifest = write_shards(stream, directory, **about)
    finally:
        if browser is not None:
            browser.close()
    typer.echo(f"{manifest['samples']} samples in {directory}")
