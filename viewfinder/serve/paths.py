"""What is answered where there is no route: the page's files, or one sentence that says what there is."""

import difflib
from collections.abc import Iterable, Iterator
from typing import Any

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.routing import Match, Route

from viewfinder.serve.playground import Page

_READ = ("GET", "HEAD")


def add_fallback(app: FastAPI) -> None:
    """Give what no route matches to the page's files, and else say what there is.

    Not a mount: a mount at `/` takes requests with a wrong method from the routes that know the right one.
    """
    page, otherwise = Page(), app.router.default

    async def fallback(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await otherwise(scope, receive, send)
            return
        if scope["method"] in _READ:
            try:
                await page(scope, receive, send)
                return
            except HTTPException as error:
                if error.status_code != 404:
                    raise
        raise HTTPException(404, _nothing_at(app, scope["path"]))

    app.router.default = fallback


def allowed_methods(app: FastAPI, scope: Any) -> list[str]:
    """The methods that the path of a request takes, sorted."""
    methods = {
        method for route in _routes(app) if route.matches(scope)[0] != Match.NONE for method in route.methods or ()
    }
    return sorted(methods | {"HEAD"} if "GET" in methods else methods)


class HeadAsGet:
    """Answers HEAD as GET without the body."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def without_body(message: Any) -> None:
            await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

        await self._app({**scope, "method": "GET"}, receive, without_body)


def _routes(app: FastAPI) -> Iterator[Route]:
    return (route for route in app.routes if isinstance(route, Route))


def _nothing_at(app: FastAPI, path: str) -> str:
    """`/chat/completions`: "there is nothing at '/chat/completions'; did you mean /v1/chat/completions? ..." """
    known = {route.path: sorted(route.methods or ()) for route in _routes(app) if route.include_in_schema}
    near = _near(path, known)
    guess = f"did you mean {near}? There are: " if near else "there are: "
    listed = ", ".join(f"{'/'.join(methods)} {name}" for name, methods in known.items())
    return f"there is nothing at {path[:100]!r}; {guess}{listed}"


def _near(path: str, known: Iterable[str]) -> str | None:
    """The route that was probably meant: one that the path ends with, or is the end of, else one spelt alike."""
    parts = path[:200].rstrip("/")
    same = [name for name in known if len(parts) > 1 and (parts.endswith(name) or name.endswith(parts))]
    return next(iter(same or difflib.get_close_matches(parts, list(known), 1, 0.8)), None)
