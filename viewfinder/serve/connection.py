"""Requests to an OpenAI-compatible server: asked again when it is busy, and one sentence when it fails."""

import json
import re
import time
from collections.abc import Iterable, Iterator
from typing import Any

import httpx

from viewfinder.errors import ViewfinderError

_TRIES = 4
_LINE_END = re.compile(rb"\r\n|\n|\r")


class ServerError(ViewfinderError):
    """A server that cannot be reached, refuses, or answers what cannot be read."""


class Connection:
    """One server.

    Attributes:
        url: with `/v1` at its end.
        gives_logprobs: false once it has refused them.
    """

    def __init__(self, url: str, api_key: str | None, timeout: float) -> None:
        base = url.rstrip("/")
        self.url = base if base.endswith("/v1") else f"{base}/v1"
        self.gives_logprobs = True
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._http = httpx.Client(headers=headers, timeout=httpx.Timeout(timeout, connect=10.0), trust_env=False)

    def close(self) -> None:
        self._http.close()

    def send(self, method: str, path: str, body: dict[str, Any] | None = None) -> httpx.Response:
        """One request; a busy server is asked again when it says so."""
        for attempt in range(_TRIES):
            try:
                answer = self._http.request(method, f"{self.url}{path}", json=body)
            except httpx.HTTPError as error:
                raise self._unreachable(error) from error
            if answer.is_success:
                return answer
            if attempt + 1 < _TRIES and self._worth_another(answer, body):
                continue
            raise self._refused(answer)
        raise AssertionError("the last attempt returns or raises")

    def events(self, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """What a streamed answer holds, chunk by chunk."""
        for attempt in range(_TRIES):
            try:
                with self._http.stream("POST", f"{self.url}/chat/completions", json=body) as answer:
                    if not answer.is_success:
                        answer.read()
                        if attempt + 1 < _TRIES and self._worth_another(answer, body):
                            continue
                        raise self._refused(answer)
                    yield from self._lines(answer)
                    return
            except httpx.HTTPError as error:
                raise self._unreachable(error) from error

    def json(self, answer: httpx.Response) -> dict[str, Any]:
        """The object that an answer is.

        Raises:
            ServerError: it is something else.
        """
        try:
            value = answer.json()
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise self.unreadable(answer.text)
        return value

    def unreadable(self, what: object) -> ServerError:
        """What to raise for an answer that is not of OpenAI's shape."""
        return ServerError(
            f"{self.url} answered {str(what)[:120]!r}, which is no chat completion, so nothing can be read from it; "
            "check that the address is an OpenAI-compatible server's"
        )

    def _lines(self, answer: httpx.Response) -> Iterator[dict[str, Any]]:
        """The data of server-sent events up to `[DONE]`, without which the answer is not complete."""
        kind = ""
        for line in sse_lines(answer.iter_bytes()):
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            kind = value if name == "event" else "" if not line else kind
            if name != "data":
                continue
            if value.strip() == "[DONE]":
                return
            try:
                chunk = json.loads(value)
            except ValueError:
                chunk = None
            if not isinstance(chunk, dict):
                raise self.unreadable(value)
            if kind == "error" or "error" in chunk:
                error = chunk.get("error", chunk)
                raise ServerError(f"{self.url} gave up in the middle: {_message_of(error)}")
            yield chunk
        raise ServerError(f"{self.url} broke off in the middle of an answer (no [DONE] came); ask again")

    def _worth_another(self, answer: httpx.Response, body: dict[str, Any] | None) -> bool:
        if answer.status_code == 400 and body and "logprobs" in body and "logprob" in answer.text:
            self.gives_logprobs = False  # a server that has none
            del body["logprobs"]
            return True
        if answer.status_code in (429, 503):
            after = answer.headers.get("retry-after", "1")
            time.sleep(min(30.0, float(after) if after.replace(".", "", 1).isdigit() else 1.0))
            return True
        return False

    def _refused(self, answer: httpx.Response) -> ServerError:
        try:
            reason = _message_of(answer.json()["error"])
        except (ValueError, KeyError, TypeError):
            reason = answer.text[:200]
        return ServerError(f"{self.url} answered {answer.status_code}: {reason}")

    def _unreachable(self, error: httpx.HTTPError) -> ServerError:
        reason = str(error) or type(error).__name__
        return ServerError(f"{self.url} cannot be reached ({reason}); check the address and that the server runs")


def _message_of(error: Any) -> str:
    return str(error.get("message", error) if isinstance(error, dict) else error)[:500]


def sse_lines(pieces: Iterable[bytes]) -> Iterator[str]:
    """Lines of a stream of events, which end at CR LF, LF or CR and at nothing else.

    U+2028 and U+0085 may stand in an answer, and `str.splitlines` would cut there.
    """
    held = b""
    for piece in pieces:
        held += piece
        whole = len(held) - held.endswith(b"\r")  # LF may follow in the next piece
        *lines, rest = _LINE_END.split(held[:whole])
        held = rest + held[whole:]
        yield from (line.decode("utf-8", "replace") for line in lines)
    yield from (line.decode("utf-8", "replace") for line in _LINE_END.split(held) if line)
