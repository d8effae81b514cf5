"""`agent`: work on a task at a screen; `agent worlds` and `replay`. See `agent_play_commands` for the rest."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from viewfinder.cli import options
from viewfinder.cli.agent_play_commands import Renderer, Split, play, prompt_form, samples, split_of
from viewfinder.cli.lazy import Group, subgroup
from viewfinder.cli.show import print_json
from viewfinder.errors import ViewfinderError

WorldName = Annotated[str | None, typer.Option("--world", help="An offline world; see `viewfinder agent worlds`.")]
Seed = Annotated[int, typer.Option("--seed", help="Instance of the world.")]


class _Group(Group):
    """`viewfinder agent "task"` is `viewfinder agent run "task"`."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # pyright: ignore[reportIncompatibleMethodOverride] - typer hides click's
        if args and args[0] not in self.commands and args[0] not in ("-h", "--help"):
            args = ["run", *args]
        return super().parse_args(ctx, args)


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
                settings=_settings(asked, steps, seconds, past_screens, grammar, dry_run),
                confirm=lambda decision, action, seen: stop.ask(decision.reason),
                on_step=lambda step: None if as_json else typer.echo(_line(step)),
            )  # fmt: skip
            about: dict[str, object] = {"model": model}
            if world:
                about |= place.about
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
    return make_world(world, renderer, seed, split_of(split))  # type: ignore[arg-type]


class _Closing:
    """An environment that takes something with it when it closes."""

    def __init__(self, inner: Any, after: Callable[[], None]) -> None:
        self._inner, self._after = inner, after

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def close(self) -> None:
        self._inner.close()
        self._after()


def _settings(asked: Any, steps: int, seconds: float, past_screens: int, grammar: bool, dry_run: bool) -> Any:
    from viewfinder.agent.settings import Settings

    seen = asked.processor.settings
    return Settings(
        steps=steps, seconds=seconds, past_screens=past_screens, grammar=grammar, dry_run=dry_run,
        min_pixels=seen.min_pixels, max_pixels=seen.max_pixels, form=prompt_form(asked),
    )  # fmt: skip


def _line(step: Any) -> str:
    action = dict(step.action or {})
    name = action.pop("action", "no action")
    said = ", ".join(f"{key}={value}" for key, value in action.items() if key != "device")
    note = f" - {step.note}" if step.note else ""
    thought = " ".join(step.thought.split())
    thought = f"{thought[:200]}…" if len(thought) > 200 else thought
    return f"{step.index}. {thought or '(no words)'}\n   {name} {said} [{step.verdict}]{note}"


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
            f"{directory} was recorded on a real screen or page, which cannot be put back to its start, so it is not "
            f"replayed; look at {directory / 'index.html'} instead"
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


agent = subgroup(_Group)
for command in (run, replay, worlds, play, samples):
    agent.command()(command)
