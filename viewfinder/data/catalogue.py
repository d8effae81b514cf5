"""Sources and operators by the names that plans use; each is imported when it is used."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

LazyObject = Callable[[], Callable[..., Any]]


def _lazy(place: str) -> LazyObject:
    module, _, name = place.partition(":")
    return lambda: getattr(import_module(f"viewfinder.data.{module}"), name)


SOURCES: dict[str, LazyObject] = {
    "synth": _lazy("sources.synth:SynthSource"),
    "shards": _lazy("sources.synth:ShardSource"),
    "folder": _lazy("sources.conversations:FolderSource"),
    "conversations": _lazy("sources.conversations:ConversationSource"),
    "coco": _lazy("sources.coco:CocoSource"),
    "html": _lazy("sources.html:HtmlSource"),
    "warc": _lazy("sources.warc:WarcSource"),
    "pdf": _lazy("sources.pdf:PdfSource"),
    "videos": _lazy("sources.videos:VideoSource"),
    "screens": _lazy("sources.screens:ScreenSource"),
    "webdataset": _lazy("sources.webdataset:WebDatasetSource"),
    "parquet": _lazy("sources.parquet:ParquetSource"),
}
"""Where rows come from."""

FILES = tuple(name for name in SOURCES if name not in ("synth", "shards"))
"""Sources that read people's files; all take `path`, `license` and `language`."""

OPERATORS: dict[str, LazyObject] = {
    "measure": _lazy("filters.measure:Measure"),
    "interleaved": _lazy("filters.interleaved:Interleaved"),
    "tag": _lazy("filters.tagging:Tag"),
    "sft": _lazy("filters.tagging:Sft"),
    "exact_duplicates": _lazy("filters.fingerprints:ExactDuplicates"),
    "near_duplicates": _lazy("filters.fingerprints:NearDuplicates"),
    "contamination": _lazy("filters.contamination:Contamination"),
    "rejection": _lazy("filters.rejection:Rejection"),
    "mistakes": _lazy("filters.mistakes:Mistakes"),
}
"""What samples pass."""
