"""`agent`: work on a task at a screen; `agent worlds`, `replay`, `play` and `samples` for what surrounds it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import click
import typer
from typer.core import TyperGroup

from viewfinder.cli import options
from viewfinder.cli.show import print_json, print_warning, working
from viewfinder.errors import ViewfinderError

WorldName = Annotated[str | None, typer.Option("--world", help="An offline world; see `viewfinder agent worlds`.")]
Renderer = Annotated[str, typer.Option("--renderer", help="drawn, web (Chromium) or window (Tk on Xvfb).")]
Seed = Annotated[int, typer.Option("--seed", help="Instance of the world.")]
Split = Annotated[str, typer.Option("--split", help="train, or test: words and looks that no training sample has.")]


class _Group(TyperGroup):
    """`viewfinder agent "task"` is `viewfinder agent run "task"`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] != "--help":
            args = ["run", *args]
        return super().parse_args(ctx, args)


def register(app: typer.Typer) -> None:
    group = typer.Typer(cls=_Group, help="Work on a task at a browser, a desktop, a phone or in an offline world.")
    for command in (run, replay, worlds, play, samples):
        group.command()(command)
    app.add_typer(group, name="agent", no_args_is_help=True)


def run(
    task: Annotated[str, typer.Argument(help="What to do; in a world '' is its own task.")],
    browser: Annotated[str | None, typer.Option("--browser", help="Begin at this URL.", metavar="URL")] = None,
    desktop: Annotated[bool, typer.Option("--desktop", help="The X11 session (DISPLAY).")] = False,
    phone: Annotated[bool, typer.Option("--phone", help="The phone that adb knows.")] = False,
    world: WorldName = None,
    renderer: Renderer = "drawn",
    seed: Seed = 0,
    split: Split = "train",
    policy: Annotated[Path | None, typer.Option("--policy", help="TOML: domains, apps, confirm, secrets.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Judge the first action and do nothing.")] = False,
    model: options.Model = "tiny",
    record: Annotated[Path | None, typer.Option("--record", help="Write every step and screen to this folder.")] = None,
    steps: Annotated[int, typer.Option("--steps", min=1)] = 30,
    seconds: Annotated[float, typer.Option("--seconds", min=1)] = 900.0,
    past_screens: Annotated[int, typer.Option("--past-screens", min=0, help="Earlier screens to show again.")] = 0,
    grammar: Annotated[bool, typer.Option("--grammar/--no-grammar", help="Only possible calls can be written.")] = True,
    window: Annotated[bool, typer.Option("--window", help="Show the browser's window.")] = False,
    connect: Annotated[
        str | None, typer.Option("--connect", help="Use a browser that runs, by its debug port.")
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """Do a task on a screen, inside a policy. Escape, q or Ctrl+C stop at once; paying, sending, deleting are asked."""
    from viewfinder.agent.loop import Agent
    from viewfinder.agent.policy import Policy
    from viewfinder.agent.secrets import Vault
    from viewfinder.agent.stop_key import StopKey
    from viewfinder.agent.trajectory import Recorder, load_trajectory
    from viewfinder.agent.viewer import write_viewer

    if sum(map(bool, (browser, desktop, phone, world))) != 1:
        raise typer.BadParameter("name exactly one of --browser, --desktop, --phone and --world")
    rules = Policy.load(policy) if policy else _default_policy(browser, world)
    vault = Vault.of(rules.secrets)
    place = _environment(browser, desktop, phone, world, renderer, seed, split, rules, vault, window, connect)
    try:
        asked = options.open_model(model)
        recorder = Recorder(record, vault) if record else None
        with StopKey() as stop:
            agent = Agent(
                asked.model, place, rules, vault=vault, recorder=recorder, stop=stop.event,
                settings=_settings(asked, model, steps, seconds, past_screens, grammar, dry_run),
                confirm=lambda decision, action, seen: stop.ask(decision.reason),
                on_step=lambda step: None if as_json else typer.echo(_line(step)),
            )  # fmt: skip
            about: dict[str, object] = {"model": model}
            if world:
                about |= {"world": world, "renderer": renderer, "seed": seed, "split": split, "size": list(place.size)}
            episode = agent.run(task or getattr(place, "task", ""), about=about)
        checked = place.success() if world else None
    finally:
        place.close()
    if record:
        write_viewer(load_trajectory(record))
    result = {"reason": episode.reason, "note": episode.note, "steps": episode.steps, "seconds": episode.seconds}
    result |= {"tokens": episode.tokens, "checked": checked, "record": str(record) if record else None}
    if as_json:
        print_json(result)
    else:
        says = {None: "", True: "; the world says it is done", False: "; the world says it is not done"}[checked]
        typer.echo(f"{episode.reason}: {episode.note} ({episode.steps} steps, {episode.seconds:g} s){says}")


def _default_policy(browser: str | None, world: str | None) -> Any:
    """A browser keeps to the host that was named; a world, where nothing is real, is free."""
    from urllib.parse import urlsplit

    from viewfinder.agent.policy import Policy

    if world:
        return Policy(apps=("*",), domains=(f"{world}.test",), confirm=frozenset(), writes="any")
    return Policy(domains=(urlsplit(browser).hostname or "",)) if browser else Policy()


def _environment(
    browser: str | None, desktop: bool, phone: bool, world: str | None, renderer: str, seed: int, split: str,
    rules: Any, vault: Any, window: bool, connect: str | None,
) -> Any:  # fmt: skip
    if browser:
        from viewfinder.agent.browser import BrowserEnvironment, Chromium

        program = Chromium(headless=not window, connect=connect)
        try:
            place = BrowserEnvironment(browser, rules, chromium=program, vault=vault)
        except BaseException:
            program.close()
            raise
        return _Closing(place, program.close)
    if desktop:
        from viewfinder.agent.desktop import DesktopEnvironment

        return DesktopEnvironment()
    if phone:
        from viewfinder.agent.phone import PhoneEnvironment

        return PhoneEnvironment()
    from viewfinder.agent.worlds import make_world

    assert world
    return make_world(world, renderer, seed, _split(split))  # type: ignore[arg-type]


class _Closing:
    """An environment that takes something with it when it closes."""

    def __init__(self, inner: Any, after: Callable[[], None]) -> None:
        self._inner, self._after = inner, after

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def close(self) -> None:
        self._inner.close()
        self._after()


def _split(name: str) -> str:
    if name not in ("train", "test"):
        raise typer.BadParameter(f"unknown split {name!r}; give train or test", param_hint="--split")
    return name


def _settings(
    asked: Any, model: str, steps: int, seconds: float, past_screens: int, grammar: bool, dry_run: bool
) -> Any:
    from viewfinder.agent.settings import Settings

    seen = asked.processor.settings
    return Settings(
        steps=steps, seconds=seconds, past_screens=past_screens, grammar=grammar, dry_run=dry_run,
        min_pixels=seen.min_pixels, max_pixels=seen.max_pixels, form="compact" if model == "tiny" else "official",
    )  # fmt: skip


def _line(step: Any) -> str:
    action = dict(step.action or {})
    name = action.pop("action", "no action")
    said = ", ".join(f"{key}={value}" for key, value in action.items() if key != "device")
    note = f" - {step.note}" if step.note else ""
    return f"{step.index}. {step.thought or '(no words)'}\n   {name} {said} [{step.verdict}]{note}"


def replay(
    directory: Annotated[Path, typer.Argument(help="Folder of a recorded run in a world.")],
    as_json: options.AsJson = False,
) -> None:
    """Do a recorded run in a world again, and compare every screen and the end state. Exit code 1 when they differ."""
    from viewfinder.agent.replay import replay as again
    from viewfinder.agent.trajectory import load_trajectory
    from viewfinder.agent.worlds import make_world

    trajectory = load_trajectory(directory)
    about = trajectory.start
    if "world" not in about:
        raise ViewfinderError(
            f"{directory} was recorded on a real screen, which cannot be put back to its start, so it is not replayed; "
            f"look at {directory / 'index.html'} instead"
        )
    size = tuple(about.get("size", (320, 320)))
    place = make_world(about["world"], about["renderer"], about["seed"], about["split"], size=size)
    try:
        result = again(trajectory, place)
    finally:
        place.close()
    if as_json:
        print_json({**vars(result), "identical": result.identical})
    else:
        same = "identical" if result.identical else "different"
        same = same if trajectory.end else f"{same} as far as it goes (the run was cut off)"
        worst = max(result.differing, default=0.0)
        typer.echo(f"{same}: {result.steps} actions, at most {worst:.2%} of a screen differs. {result.stopped}".strip())
    if not result.identical:
        raise typer.Exit(1)


def worlds(as_json: options.AsJson = False) -> None:
    """The offline worlds, with an example of what they ask for."""
    from viewfinder.agent.worlds import APPS, make_app

    examples = {name: [make_app(name, seed, "train").task for seed in (0, 1)] for name in APPS}
    if as_json:
        print_json({"worlds": [{"name": name, "examples": tasks} for name, tasks in examples.items()]})
        return
    for name, tasks in examples.items():
        typer.echo(f"{name:<10} {'; '.join(tasks)}")


def play(
    names: Annotated[list[str] | None, typer.Argument(help="Worlds, or tasks of MiniWoB++; all by default.")] = None,
    player: Annotated[str, typer.Option("--player", help="model, solver (knows the truth) or random.")] = "model",
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

    speaker, seen = _player(player, model, miniwob)
    make, known, close = _maker(miniwob, renderer, _split(split), size, scale)
    settings = Settings(
        steps=steps, grammar=player == "model", form="compact" if model == "tiny" else "official", **seen
    )
    try:
        rows = play_worlds(
            speaker, names or known, range(seeds), make, settings=settings, record=record,
            on_episode=lambda one: print_warning(f"{one.world} {one.seed}: {'done' if one.success else one.reason}"),
        )  # fmt: skip
    finally:
        close()
    result = {"player": player, "model": model if player == "model" else None, "split": split, "renderer": renderer}
    result |= {"miniwob": miniwob, "worlds": [row.to_dict() for row in rows]}
    if out:
        out.write_text(json.dumps(result, indent=1) + "\n")
    print_json(result) if as_json else typer.echo(table(rows))


def _player(player: str, model: str, miniwob: bool) -> tuple[Any, dict[str, int]]:
    """From the world and its seed to who plays; and the pixels that a model sees."""
    from viewfinder.agent.miniwob import oracle
    from viewfinder.agent.players import random_clicker
    from viewfinder.agent.worlds.solver import solver

    if player == "solver":
        return (lambda world, seed: oracle(world) if miniwob else solver(world)), {}
    if player == "random":
        return (lambda world, seed: random_clicker(world.device, seed)), {}
    if player != "model":
        raise typer.BadParameter(f"unknown player {player!r}; give model, solver or random", param_hint="--player")
    asked = options.open_model(model)
    seen = asked.processor.settings
    return (lambda world, seed: asked.model), {"min_pixels": seen.min_pixels, "max_pixels": seen.max_pixels}


def _maker(
    miniwob: bool, renderer: str, split: str, size: int, scale: float
) -> tuple[Callable[[str, int], Any], list[str], Callable[[], None]]:
    """How worlds are made, their names, and what to close at the end: one browser serves all."""
    from viewfinder.agent.miniwob import CLICKS, MiniWob
    from viewfinder.agent.worlds import APPS, make_world

    browser: Any = None
    if miniwob or renderer == "web":
        from viewfinder.agent.browser import Chromium

        browser = Chromium()
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
) -> None:
    """Training samples from the worlds as shards: screen, task, thought, action, and the box to hit."""
    from viewfinder.agent.samples import Style, world_samples
    from viewfinder.agent.worlds import make_world
    from viewfinder.data.shards import write_shards

    renderers = tuple((name, weight) for name, weight in (("drawn", 1 - web), ("web", web)) if weight)
    style = Style(sizes=(least, most), renderers=renderers, form="official" if official else "compact")
    browser: Any = None
    if web:
        from viewfinder.agent.browser import Chromium

        browser = Chromium()

    def make(name: str, renderer: str, *given: Any, **more: Any) -> Any:
        if renderer == "web":
            more["chromium"] = browser
        return make_world(name, renderer, *given, **more)  # type: ignore[arg-type]

    try:
        stream = world_samples(count, seed=seed, split=_split(split), style=style, make=make)  # type: ignore[arg-type]
        with working(f"writing {count} samples"):
            manifest = write_shards(stream, directory, source="worlds", split=split, seed=seed)
    finally:
        if browser is not None:
            browser.close()
    typer.echo(f"{manifest['samples']} samples in {directory}")
