"""Each request counted, timed, named and logged."""

import logging
import re
import time
import uuid
from typing import Any
from urllib.parse import quote

from viewfinder.serve.body import ignored
from viewfinder.serve.metrics import Metrics

_LOG = logging.getLogger(__name__)


class ObserveMiddleware:
    """Counts, times, names and logs requests; paths that do not exist share one name."""

    def __init__(self, app: Any, metrics: Metrics, access_log: bool) -> None:
        self._app, self._metrics, self._access_log = app, metrics, access_log

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.monotonic(), 500
        given = dict(scope["headers"]).get(b"x-request-id", b"").decode("latin-1")
        unknown: list[str] = []
        ignored.set(unknown)
        name = given if re.fullmatch(r"[\w.-]{1,128}", given, re.ASCII) else f"req_{uuid.uuid4().hex}"

        async def watched(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = [*message["headers"], (b"x-request-id", name.encode())]
                if unknown:
                    headers.append((b"x-ignored-fields", quote(", ".join(unknown)[:1000], safe=", ").encode()))
                message = {**message, "headers": headers}
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            route = scope.get("route")
            path = getattr(route, "path", None) or "other"
            seconds = time.monotonic() - started
            self._metrics.observe(path, status, seconds)
            if self._access_log:
                _LOG.info("%s %s %d %.3f s %s", scope["method"], path, status, seconds, name)
