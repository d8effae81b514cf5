"""Requests to an OpenAI-compatible server: asked again when it is busy, and one sentence when it fails."""

import json
import time
from collections.abc import Iterator
from typing import Any

import httpx

from viewfinder.errors import ViewfinderError

_TRIES = 4


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

    def _lines(self, answer: httpx.Response) -> Iterator[dict[str, Any]]:
        for line in answer.iter_lines():
            if not line.startswith("data:") or line[5:].strip() == "[DONE]":
                continue
            chunk = json.loads(line[5:])
            if "error" in chunk:
                raise ServerError(f"{self.url} gave up in the middle: {chunk['error'].get('message')}")
            yield chunk

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
            reason = answer.json()["error"]["message"]
        except (ValueError, KeyError, TypeError):
            reason = answer.text[:200]
        return ServerError(f"{self.url} answered {answer.status_code}: {reason}")

    def _unreachable(self, error: httpx.HTTPError) -> ServerError:
        reason = str(error) or type(error).__name__
        return ServerError(f"{self.url} cannot be reached ({reason}); check the address and that the server runs")
