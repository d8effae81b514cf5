"""OpenTelemetry: one span a request, in the trace of whoever asks. Imported only where traces are asked for (`--otel`).

FastAPI makes the span, of HTTP; here it gets the attributes of `gen_ai` as in the semantic conventions 1.44.0
(opentelemetry-semantic-conventions 0.66b2), from where they moved to a repository of their own. Nothing that was asked
or answered is in them.
"""

import time
from typing import Any

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import get_current_span

_OPERATIONS = {
    "/v1/chat/completions": "chat",
    "/v1/responses": "chat",
    "/v1/messages": "chat",
    "/v1/completions": "text_completion",
}
_REQUEST = {
    "model": "model",
    "stream": "stream",
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty",
    "seed": "seed",
    "n": "choice.count",
}
"""Fields of a request, and the ends of their names after `gen_ai.request.`."""


def exporting() -> TracerProvider:
    """Spans to the OTLP collector that the standard `OTEL_*` variables name."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


class TracingMiddleware:
    """Adds what was asked of the model, and what it took, to the span that FastAPI makes of each request."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        started, first, is_told = time.monotonic(), None, False

        def tell() -> None:
            nonlocal is_told
            asked = scope.get("state", {}).get("asked")
            if asked is not None and not is_told:
                operation = _OPERATIONS.get(scope["path"], "generate_content")
                get_current_span().set_attributes(_described(asked, operation, first))
            is_told = True

        async def watched(message: Any) -> None:
            nonlocal first
            if message["type"] == "http.response.body":
                first = first or time.monotonic() - started
                if not message.get("more_body"):  # the span ends with the last piece
                    tell()
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            tell()


def _described(asked: Any, operation: str, first: float | None) -> dict[str, Any]:
    """Attributes for a `Completion` or `Tasks`; `first` is the seconds until the answer began."""
    request, usage = asked.request, asked.usage()
    told = {f"gen_ai.request.{end}": getattr(request, name, None) for name, end in _REQUEST.items()}
    stop = getattr(request, "stop", None)
    told |= {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": "viewfinder",
        "gen_ai.request.max_tokens": getattr(request, "max_completion_tokens", None) or request.max_tokens,
        "gen_ai.request.stop_sequences": [stop] if isinstance(stop, str) else stop,
        "gen_ai.response.model": request.model,
        "gen_ai.response.id": getattr(asked, "id", None),
        "gen_ai.response.finish_reasons": [reply.finish_reason for reply in asked.replies],
        "gen_ai.response.time_to_first_chunk": first if getattr(request, "stream", False) else None,
        "gen_ai.usage.input_tokens": usage["prompt_tokens"],
        "gen_ai.usage.output_tokens": usage["completion_tokens"],
    }
    return {name: value for name, value in told.items() if value is not None}
