"""Who takes an evaluation: a model loaded here or on a server, the same one blindfolded, one without training."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import typer

from viewfinder.chat import Viewfinder
from viewfinder.chat.batching import batched
from viewfinder.cli import options
from viewfinder.engine.checkpoints import find_checkpoint
from viewfinder.eval.question import Question
from viewfinder.eval.runner import Jobs, Subject
from viewfinder.eval.session import BASELINES, NamedModel, baseline, blindfolded, named_model
from viewfinder.media.digest import digest, digest_folder
from viewfinder.messages import ChatModel, Message, Reply, Sampling
from viewfinder.outputs.spans import format_moments

BESIDE = ("blind", "untrained", *BASELINES)


def open_subject(name: str, server: str | None, dtype: str | None, until: ExitStack) -> Subject:
    """A model by directory, hub id or `tiny`; with `server`, its name there, on a connection open `until` then."""
    return _open(name, server, dtype, until)[0]


def _open(
    name: str, server: str | None, dtype: str | None, until: ExitStack, concurrency: int = 1
) -> tuple[Subject, Callable[[ChatModel], Jobs]]:
    """The model, and what makes the jobs of one that sees as it does. Requests at once share a model's steps here."""
    viewfinder, called, fingerprint = open_viewfinder(name, server, dtype, until)
    if concurrency > 1:
        viewfinder = until.enter_context(batched(viewfinder, concurrency))
    see, jobs = _seen_by(viewfinder.processor), _jobs_with(viewfinder.processor)
    return Subject(viewfinder.model, called, fingerprint, see, jobs(viewfinder.model)), jobs


def open_viewfinder(name: str, server: str | None, dtype: str | None, until: ExitStack) -> tuple[Viewfinder, str, str]:
    """As `open_subject`: what answers, what it is called, and a hash of its weights."""
    if server is not None:
        from viewfinder.cli.options import open_server

        opened: Any = open_server(server, name)
        until.callback(opened.model.close)
        return opened, f"{opened.model.card['id']} at {server}", opened.model.fingerprint
    viewfinder = options.load_here(name, dtype)
    fingerprint = digest([digest_folder(find_checkpoint(name)), str(getattr(viewfinder.model, "dtype", dtype))])
    return viewfinder, Path(name).name or name, fingerprint


def open_models(
    name: str, server: str | None, dtype: str | None, beside: Sequence[str], until: ExitStack, concurrency: int = 1
) -> list[NamedModel]:
    """The model (or a baseline by its name), and those asked for beside it; each may get so many requests at once."""
    unknown = [one for one in beside if one not in BESIDE]
    if unknown:
        raise typer.BadParameter(f"{unknown[0]!r} cannot stand beside; give {', '.join(BESIDE)}", param_hint="--beside")
    if name in BASELINES and server is None:
        if set(beside) - set(BASELINES):
            raise typer.BadParameter(f"{name} has no weights to blindfold; leave --beside out", param_hint="--beside")
        return [baseline(one) for one in (name, *beside)]
    subject, jobs = _open(name, server, dtype, until, concurrency)
    models = [named_model(_folder(subject.name), subject)]
    for one in beside:
        if one == "blind":
            models.append(blindfolded(subject, jobs))
        elif one == "untrained":
            models.append(named_model(one, untrained(name, server, until, concurrency)))
        else:
            models.append(baseline(one))
    return models


def untrained(name: str, server: str | None, until: ExitStack, concurrency: int = 1, seed: int = 0) -> Subject:
    """The same architecture and vocabulary with fresh weights."""
    if server is not None:
        raise typer.BadParameter(
            "an untrained twin is made of a checkpoint here, not on a server", param_hint="--beside"
        )
    from viewfinder.engine.engine import Engine
    from viewfinder.recipes.sizes import fresh

    trained = Engine.from_pretrained(name)
    model = fresh(trained.model.config, seed).to(trained.model.dtype).eval().requires_grad_(False)
    engine = Engine(model, trained.processor, sampling=trained.sampling, eos_token_ids=trained.eos_token_ids)
    fingerprint = digest(["untrained", seed, repr(trained.model.config)])
    asked = Viewfinder(engine, trained.processor)
    if concurrency > 1:
        asked = until.enter_context(batched(asked, concurrency))
    see, jobs = _seen_by(trained.processor), _jobs_with(trained.processor)(asked.model)
    return Subject(asked.model, "untrained", fingerprint, see, jobs)


def _seen_by(processor: Any) -> Any:
    def see(messages: Sequence[Message]) -> Any:
        return processor.plan(messages).media

    return see


def _jobs_with(processor: Any) -> Callable[[ChatModel], Jobs]:
    """Jobs of `Viewfinder` that ask more than once, for a model seen through this processor."""

    def jobs(model: ChatModel) -> Jobs:
        viewfinder = Viewfinder(model, processor)

        def moments(question: Question, sampling: Sampling) -> Reply:
            (video,) = question.media
            found = viewfinder.moments(video.video, question.tags["query"], sampling=sampling)  # type: ignore[union-attr]
            surest = sorted(found, key=lambda span: -(span.confidence or 0.0))[:1]
            text = format_moments(surest, question.truth["duration"])
            return found.reply.model_copy(update={"text": text, "media": ()})

        return {"moments": moments}

    return jobs


def _folder(name: str) -> str:
    return "".join(c if c.isalnum() or c in "._-" else "-" for c in name).strip("-.") or "model"
