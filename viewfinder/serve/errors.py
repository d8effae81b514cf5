"""From what went wrong to a status, a reason and OpenAI's error body."""

import logging
from typing import Any

from viewfinder.chat.live import UnknownQueryError
from viewfinder.engine.scheduler import BusyError
from viewfinder.engine.ticket import EngineStoppedError
from viewfinder.errors import CheckpointError, ContextLengthError, LimitError, MediaError, ViewfinderError
from viewfinder.media.sandbox import CalledOffError, DecoderBusyError, WorkerLostError

_LOG = logging.getLogger(__name__)


class UnknownModelError(ViewfinderError):
    """A request for a model that is not served here."""


class UnknownStreamError(ViewfinderError):
    """A live session that is not open, or is another key's."""


class StreamBusyError(ViewfinderError):
    """A frame came before the one before it was done with."""


_STATUS: tuple[tuple[type[Exception], int, str], ...] = (
    (UnknownModelError, 404, "model_not_found"),
    (UnknownStreamError, 404, "stream_not_found"),
    (UnknownQueryError, 404, "query_not_found"),
    (StreamBusyError, 409, "stream_busy"),
    (BusyError, 429, "rate_limit_exceeded"),
    (EngineStoppedError, 503, "engine_restarted"),
    (WorkerLostError, 503, "worker_lost"),
    (DecoderBusyError, 503, "decoders_busy"),
    (CalledOffError, 499, "called_off"),
    (CheckpointError, 500, "checkpoint"),
    (ContextLengthError, 400, "context_length_exceeded"),
    (LimitError, 413, "limit_exceeded"),
    (MediaError, 422, "bad_media"),
    (ViewfinderError, 400, "invalid_request"),
)


def status_of(error: BaseException) -> tuple[int, dict[str, Any], dict[str, str]]:
    """(status, body, headers). What is no user's mistake is logged and told without its insides."""
    for kind, status, code in _STATUS:
        if isinstance(error, kind):
            headers = {"Retry-After": "1"} if status == 503 else {}
            if isinstance(error, BusyError):
                headers = {"Retry-After": str(max(1, round(error.retry_after)))}
            return status, error_body(str(error), status, code), headers
    _LOG.error("a request failed by a fault of ours", exc_info=error)
    message = f"the server failed on this request ({type(error).__name__}); others are not affected"
    return 500, error_body(message, 500, "server_error"), {}


def error_body(message: str, status: int, code: str, param: str | None = None) -> dict[str, Any]:
    """The envelope that OpenAI's clients read. Text that is no Unicode is replaced, not passed on."""
    kind = "invalid_request_error" if status < 500 else "server_error"
    clean = message.encode("utf-8", "replace").decode()[:2000]
    return {"error": {"message": clean, "type": kind, "param": param, "code": code}}
