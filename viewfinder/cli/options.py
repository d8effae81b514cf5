"""Options that several commands share, and the model they name."""

import dataclasses
import gc
import inspect
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from viewfinder.cli.show import working
from viewfinder.errors import ViewfinderError

if TYPE_CHECKING:  # a command's options are shown without what the command runs on
    from viewfinder.chat import Viewfinder
    from viewfinder.messages import Sampling


Model = Annotated[
    str,
    typer.Option(
        "--model",
        help="'tiny' (built in), a run or checkpoint directory, a GGUF file, or a hub id, with @REVISION or without.",
        show_default=True,
    ),
]
Mmproj = Annotated[
    str | None,
    typer.Option("--mmproj", help="With a GGUF file: that of the tower, if it is not the only one beside it."),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on standard output, nothing else.")]
Correct = Annotated[bool, typer.Option("--correct", help="Put the words of a PDF's text layer in the place of others.")]
PageWorkers = Annotated[int, typer.Option("--workers", min=1, help="Pages asked about at the same time.")]
Plot = Annotated[
    Path | None, typer.Option("--plot", help="Write the picture with the results drawn on it; of many, to a folder.")
]
MaxPixels = Annotated[
    int | None, typer.Option("--max-pixels", min=784, help="Most pixels the model may see (height x width).")
]
MinPixels = Annotated[int | None, typer.Option("--min-pixels", min=784, help="Fewest pixels the model may see.")]
Fps = Annotated[float | None, typer.Option("--fps", min=0.01, help="Frames a second of video.")]
Nframes = Annotated[int | None, typer.Option("--nframes", min=2, help="Frames of a clip in all, instead of --fps.")]
TotalPixels = Annotated[
    int | None, typer.Option("--total-pixels", min=1568, help="Most pixels of all frames of a clip together.")
]
MaxTokens = Annotated[int | None, typer.Option("--max-new-tokens", min=1, help="Longest answer, in tokens.")]
Dtype = Annotated[
    str | None, typer.Option("--dtype", help="float32, bfloat16, int8, w8a8 or int4; the checkpoint's own by default.")
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out", help="For many files: where results go, .jsonl (resumable), with .csv or COCO .json made of it."
    ),
]


def check_files(sources: Iterable[str]) -> None:
    """That files named are there, before anything is imported that reads them.

    Raises:
        MediaError: one is not.
    """
    from viewfinder.media.source import local_path

    for source in sources:
        if not Path(source).is_dir():
            local_path(source)


Server = Annotated[
    str | None,
    typer.Option(
        "--server",
        envvar="VIEWFINDER_SERVER",
        help="Ask this OpenAI-compatible server (ours, vLLM, SGLang) instead of loading a model; the key is taken "
        "from VIEWFINDER_API_KEY.",
        metavar="URL",
    ),
]

PROFILE: ContextVar[str | None] = ContextVar("profile", default=None)
"""What `--profile` before the command says."""

SERVER: ContextVar[str | None] = ContextVar("server", default=None)
"""What `--server` before the command says."""


TENSOR_PARALLEL: ContextVar[int] = ContextVar("tensor_parallel", default=1)
"""What `--tensor-parallel` says, which `lazy` gives every command that has `--model`."""


TensorParallel = Annotated[
    int,
    typer.Option(
        "--tensor-parallel",
        "--tensor-parallel-size",
        min=1,
        expose_value=False,
        callback=lambda value: TENSOR_PARALLEL.set(value) and value,
        help="GPUs of this machine that share the weights, for a model that does not fit one.",
    ),
]


Profile = Annotated[
    str | None,
    typer.Option(
        "--profile",
        help="Ask and read as this family of fine-tunes: olmocr, nanonets-ocr, rolmocr, ui-tars, gui-owl, gta1, "
        "mimo-vl, or none.",
    ),
]


def open_model(name: str, dtype: str | None = None, **settings: Any) -> "Viewfinder":
    """The model that a command asks: that of `--server`, or one loaded here."""
    server = SERVER.get()
    if server is not None:
        return open_server(server, name, **{k: v for k, v in settings.items() if v is not None})
    return load_here(name, dtype, **settings)


def load_here(name: str, dtype: str | None = None, **settings: Any) -> "Viewfinder":
    """Load a model, showing that it takes a while."""
    if dtype not in (None, "float32", "bfloat16", "float16", "int8", "w8a8", "int4"):
        known = "float32, bfloat16, float16, int8, w8a8 or int4"
        raise typer.BadParameter(f"unknown dtype {dtype!r}; give {known}", param_hint="--dtype")
    settings |= {"profile": PROFILE.get(), "tensor_parallel": TENSOR_PARALLEL.get()}
    given = {key: value for key, value in settings.items() if value is not None}
    with working(f"loading {name}"), _collector_paused():
        from viewfinder.chat import load  # torch

        return load(name, dtype=dtype, **given)


@contextmanager
def _collector_paused() -> Iterator[None]:
    """While torch is imported and weights are read: all that is made then stays, and looking for garbage among it takes
    a fifth of the time to the first answer."""
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()


def open_server(url: str, name: str, **settings: Any) -> Any:
    """A `Viewfinder` over a server; `name` is the model's there, unless it is the built-in default."""
    need_serving()
    from viewfinder.chat import Viewfinder
    from viewfinder.serve.client import OpenAIChat

    key = os.environ.get("VIEWFINDER_API_KEY") or os.environ.get("OPENAI_API_KEY")
    chat = OpenAIChat(url, None if name == "tiny" else name, api_key=key)
    processor = chat.processor
    if settings:
        from viewfinder.processor.processor import Processor

        processor = Processor(processor.tokenizer, processor.settings.with_(**settings))
        chat = OpenAIChat(url, None if name == "tiny" else name, api_key=key, processor=processor)
    return Viewfinder(chat, processor)


def need_serving() -> None:
    try:
        import fastapi  # noqa: F401
        import httpx  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(
            f"{error.name} is not installed, which serving needs; install it with: pip install 'viewfinder[serve]'"
        ) from error


class MissingExtraError(ViewfinderError):
    """Something optional is not installed."""


def sampling_of(model: Any, max_new_tokens: int | None) -> "Sampling | None":
    """The model's own sampling with another longest answer; None where nothing is asked."""
    if max_new_tokens is None:
        return None
    from viewfinder.messages import Sampling

    return getattr(model, "sampling", Sampling()).model_copy(update={"max_new_tokens": max_new_tokens})


@dataclasses.dataclass(frozen=True)
class ModelOptions:
    """The options of every command that asks a model."""

    model: Model = "tiny"
    max_pixels: MaxPixels = None
    max_new_tokens: MaxTokens = None
    dtype: Dtype = None

    def open(self, **settings: Any) -> "tuple[Viewfinder, Sampling | None]":
        """The model, and the sampling of every request."""
        viewfinder = open_model(self.model, self.dtype, max_pixels=self.max_pixels, **settings)
        return viewfinder, sampling_of(viewfinder.model, self.max_new_tokens)


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """A command with an option for each field of the dataclasses among its parameters."""
    own = inspect.signature(command).parameters.values()
    groups: dict[str, Any] = {p.name: p.annotation for p in own if dataclasses.is_dataclass(p.annotation)}
    parts = [inspect.signature(groups[p.name]).parameters.values() if p.name in groups else [p] for p in own]
    flat = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for part in parts for one in part]

    @wraps(command)
    def run(**given: Any) -> None:
        for name, group in groups.items():
            given[name] = group(**{field.name: given.pop(field.name) for field in dataclasses.fields(group)})
        command(**given)

    run.__signature__ = inspect.Signature(flat)  # type: ignore[attr-defined]
    run.__annotations__ = {one.name: one.annotation for one in flat}
    return run
