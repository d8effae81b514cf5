"""The jobs for `asyncio`: `await viewfinder.alocate(...)` is `locate` in a thread. Many at once share the model's steps
inside `with batched(viewfinder, 8) as viewfinder:`."""

import asyncio
import functools
from collections.abc import Callable, Coroutine
from typing import Any, Concatenate, ParamSpec, TypeVar

_Owner = TypeVar("_Owner")
_Given = ParamSpec("_Given")
_Result = TypeVar("_Result")


def in_thread(
    job: Callable[Concatenate[_Owner, _Given], _Result],
) -> Callable[Concatenate[_Owner, _Given], Coroutine[Any, Any, _Result]]:
    """The same method as a coroutine function, with the same arguments and errors."""

    @functools.wraps(job)
    async def run(owner: _Owner, *args: _Given.args, **options: _Given.kwargs) -> _Result:
        return await asyncio.to_thread(job, owner, *args, **options)

    return run
