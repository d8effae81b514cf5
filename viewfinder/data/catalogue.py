"""Sources and operators by the names that plans use; each is imported when it is used."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

Maker = Callable[[], Callable[..., Any]]


def _lazy(place: str) -> Maker:
    module, _, name = place.partition(":")
    return lambda: getattr(import_module(f"viewfinder.data.{module}"), name)


SOURCES: dict[str, Maker] = {
    "synth": _lazy("sources.synth:SynthSource"),
    "shards": _lazy("sources.shards:ShardSource"),
}
"""Where rows come from."""

OPERATORS: dict[str, Maker] = {
    "measure": _lazy("filters.measure:Measure"),
}
"""What samples pass."""
