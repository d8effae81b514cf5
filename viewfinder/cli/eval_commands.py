"""`eval run | list | rerun | compare`: scores with their manifests, and what makes two of them differ."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from viewfinder.cli import options
from viewfinder.cli.lazy import subgroup
from viewfinder.cli.show import print_json, print_warning
from viewfinder.errors import ViewfinderError

if TYPE_CHECKING:
    from viewfinder.eval.estimate import Estimate
    from viewfinder.eval.runner import RunOptions, Subject
    from viewfinder.eval.task import Task

PRICED = 40
"""Questions that an estimate looks at; the rest is taken to be like them."""

app = subgroup()
Tasks = Annotated[
    list[str],
    typer.Argument(
        help="Tasks, or groups: suites, builtin, report (all benchmarks), or own for a file of yours. See `eval list`."
    ),
]
Model = Annotated[
    str,
    typer.Option("--model", help="As everywhere; or perfect, chance, one-answer, which need no weights."),
]
Server = Annotated[str | None, typer.Option("--server", help="Ask this OpenAI-compatible server.", metavar="URL")]
Data = Annotated[
    Path | None,
    typer.Option(
        "--data", help="Folder of the official data (or with a folder a task), else the hub; for `own` your file."
    ),
]
Out = Annotated[Path | None, typer.Option("--out", help="Folder of the run, resumed if it is there. [out/eval/MODEL]")]
Beside = Annotated[
    list[str] | None,
    typer.Option("--beside", help="Also ask: blind, untrained, perfect, chance, one-answer; repeatable."),
]
Count = Annotated[
    int | None, typer.Option("--limit", "--count", min=1, help="Questions a task; all, or the task's own number.")
]
Seed = Annotated[int, typer.Option("--seed", help="Draws the questions of --limit, and the bootstrap.")]
MaxFrames = Annotated[int | None, typer.Option("--max-frames", min=2, help="Most frames of a clip.")]
Concurrency = Annotated[
    int, typer.Option("--concurrency", min=1, help="Requests at once; a model here answers them in one batch.")
]
Grammar = Annotated[
    bool | None,
    typer.Option(
        "--grammar/--no-grammar",
        help="Bind answers as `locate`, `count`, `parse` do. By default for the tasks of the built-in model only.",
    ),
]
Judge = Annotated[str | None, typer.Option("--judge", help="Model that reads answers where a benchmark has a judge.")]
JudgeServer = Annotated[str | None, typer.Option("--judge-server", help="Server of the judge.", metavar="URL")]
OnlyEstimate = Annotated[bool, typer.Option("--estimate", help="Say what it would cost, and stop.")]
Run = Annotated[Path, typer.Argument(help="Folder of a finished run of one task, or its manifest.json.")]


@app.command("list")
def list_tasks(as_json: options.AsJson = False) -> None:
    """All tasks with the report's numbers."""
    from viewfinder.eval.tasks.listing import listed

    tasks = listed()
    if as_json:
        print_json({"tasks": tasks})
        return
    sizes = list(dict.fromkeys(size for task in tasks for size in task["reported"]))
    rows = [
        [
            task["name"],
            task["title"],
            *(f"{task['reported'][size]:g}" if size in task["reported"] else "" for size in sizes),
        ]
        for task in tasks
    ]
    _print_table(["task", "", *sizes], rows)


@app.command()
def run(
    tasks: Tasks,
    model: Model = "tiny",
    server: Server = None,
    data: Data = None,
    out: Out = None,
    beside: Beside = None,
    limit: Count = None,
    seed: Seed = 0,
    min_pixels: options.MinPixels = None,
    max_pixels: options.MaxPixels = None,
    fps: options.Fps = None,
    max_frames: MaxFrames = None,
    total_pixels: options.TotalPixels = None,
    max_new_tokens: options.MaxTokens = None,
    concurrency: Concurrency = 1,
    grammar: Grammar = None,
    judge: Judge = None,
    judge_server: JudgeServer = None,
    dtype: options.Dtype = None,
    only_estimate: OnlyEstimate = False,
    as_json: options.AsJson = False,
) -> None:
    """Score a model. Everything asked is kept, so the same command goes on where it was stopped."""
    from viewfinder.eval.tasks import find_tasks

    chosen = find_tasks(tasks)
    server = server or options.SERVER.get()
    from viewfinder.cli.eval_models import open_models
    from viewfinder.eval.runner import RunOptions
    from viewfinder.eval.session import play, table
    from viewfinder.messages import Sampling

    budgets = {"min_pixels": min_pixels, "max_pixels": max_pixels, "fps": fps, "max_frames": max_frames}
    budgets["total_pixels"] = total_pixels
    origin = {"model": model, "server": server, "data": _text(data), "dtype": dtype}
    origin |= {"judge": judge, "judge_server": judge_server, "concurrency": concurrency}

    def how(task: "Task") -> RunOptions:
        return RunOptions(
            limit=limit,
            seed=seed,
            settings=task.settings.with_(**budgets),
            sampling=Sampling(max_new_tokens=max_new_tokens or task.max_new_tokens),
            concurrency=concurrency,
            constrained=task.family == "builtin" if grammar is None else grammar,
            origin=origin,
        )

    priced, problems = _priced(chosen, how, data)
    print_warning(priced.sentence() + _work(priced, model, server))
    if only_estimate:
        if as_json:
            print_json({**vars(priced), "problems": problems})
        return
    with ExitStack() as until:
        models = open_models(model, server, dtype, beside or [], until, concurrency)
        reader = _judge(judge, judge_server, dtype, until)
        folder = out or Path("out/eval") / models[0].name
        title = f"{models[0].name}: {', '.join(tasks)}"
        with _bars() as progress:
            judged: Callable[[Task], RunOptions] = lambda task: replace(how(task), judge=reader)  # noqa: E731
            results = play(chosen, models, folder, judged, data, progress, title)
    if as_json:
        print_json({**results.to_dict(), "report": str(folder / "index.html")})
    else:
        _print_table(*table(results, {task.name: task for task in chosen}, models))
        typer.echo(f"report: {folder / 'index.html'}")
    for name, problem in results.problems.items():
        print_warning(f"{name} was not run: {problem}")
    if results.problems:
        raise typer.Exit(1)


@app.command()
def rerun(run: Run, out: Out = None, as_json: options.AsJson = False) -> None:
    """Make a score again from its manifest; fails when the number differs, and says what else does."""
    from viewfinder.cli.eval_models import open_models
    from viewfinder.eval.compare import check, repeat

    manifest, origin = check(run)
    dtype = origin.get("dtype")
    with ExitStack() as until:
        at_once = origin.get("concurrency", 1)
        first = open_models(origin["model"], origin.get("server"), dtype, [], until, at_once)[0]
        reader = _judge(origin.get("judge"), origin.get("judge_server"), dtype, until)
        with _bars() as progress:
            result = repeat(manifest, first.subject, reader, out, lambda done, total: progress("rerun", done, total))
    if as_json:
        print_json(result.to_dict())
    else:
        typer.echo(result.sentence())
    if not result.same:
        raise typer.Exit(1)


@app.command()
def compare(a: Run, b: Run, as_json: options.AsJson = False) -> None:
    """What changed from A to B, and whether the difference could be chance."""
    from viewfinder.eval.compare import compare as compared

    found = compared(a, b)
    if as_json:
        print_json(found.to_dict())
    else:
        typer.echo(found.sentence())


def _judge(name: str | None, server: str | None, dtype: str | None, until: ExitStack) -> "Subject | None":
    from viewfinder.cli.eval_models import open_subject

    return None if name is None and server is None else open_subject(name or "tiny", server, dtype, until)


def _priced(
    tasks: "Sequence[Task]", how: "Callable[[Task], RunOptions]", data: Path | None
) -> "tuple[Estimate, dict[str, str]]":
    from viewfinder.eval.estimate import Estimate, estimate
    from viewfinder.eval.session import open_data

    total, problems = Estimate(), {}
    for task in tasks:
        wanted = how(task)
        assert wanted.settings is not None
        assert wanted.sampling is not None
        try:
            questions, number = task.drawn(open_data(task, data), wanted.limit, wanted.seed)
            part = estimate(islice(questions, PRICED), wanted.settings, wanted.sampling.max_new_tokens)
        except ViewfinderError as error:
            problems[task.name] = str(error)
            continue
        total = total.plus(part.scaled(number))
    return total, problems


def _work(priced: "Estimate", model: str, server: str | None) -> str:
    """FLOPs, where the model's sizes are known without loading it."""
    from viewfinder.config import ModelConfig
    from viewfinder.engine.checkpoints import find_checkpoint
    from viewfinder.processor.cost import predict

    if server is not None or not priced.requests or not (model == "tiny" or Path(model).is_dir()):
        return ""
    config = ModelConfig.from_pretrained(find_checkpoint(model))
    patches = 4 * priced.media_tokens // priced.requests
    cost = predict(
        config, [(1, 2, max(2, patches // 2))], (priced.media_tokens + priced.text_tokens) // priced.requests
    )
    flops = cost.flops * priced.requests + cost.decode_flops * priced.answer_tokens
    return f"; at most about {flops / 1e12:,.3g} TFLOP"


@contextmanager
def _bars() -> Iterator[Callable[[str, int, int], None]]:
    """A bar a task on a terminal; elsewhere a line when one is done. Both on standard error."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal) as progress:
        bars: dict[str, Any] = {}

        def show(name: str, done: int, total: int) -> None:
            if name not in bars:
                bars[name] = progress.add_task(name, total=total)
            progress.update(bars[name], completed=done)
            if done == total and not console.is_terminal:
                sys.stderr.write(f"viewfinder: {name}: {total} done\n")

        yield show


def _print_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table

    shown = Table(*heads, box=None, pad_edge=False)
    for row in rows:
        shown.add_row(*row)
    console = Console()
    Console(width=None if console.is_terminal else 200).print(shown)


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path.resolve())
