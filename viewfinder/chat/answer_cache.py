"""Answers kept in a file of JSON lines, each with what it answers: the medium's content, the model, all options.

    {"content": "9f86d0...", "settings": {"job": "locate", "query": "dog", "weights": "6b1f...", ...}, ...the answer}

An answer is taken again for equal content only. A file whose settings differ from those of the run that opens it is
refused, and what differs is named: one file never holds answers of two models, questions or options.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from viewfinder.errors import SettingsError
from viewfinder.messages import ChatModel, Sampling
from viewfinder.outputs.json_lines import append_values, read_kept
from viewfinder.processor.processor import Processor


class AnswerCache:
    """The answers of one run.

    Args:
        path: the file; nothing is kept and nothing found when None.
        settings: all that an answer depends on beside the medium, by name; JSON values.

    Raises:
        SettingsError: the file holds answers with other settings; names each difference.
    """

    def __init__(self, path: str | Path | None, settings: Mapping[str, Any]) -> None:
        self.path = None if path is None else Path(path)
        self.settings = dict(settings)
        self.rows = [] if path is None else read_kept(path)
        for row in self.rows:
            self._check(row.get("settings"))

    def find(self, content: str, **fields: Any) -> dict[str, Any] | None:
        """The latest answer to this content with these fields."""
        wanted = {"content": content, **fields}
        return next((row for row in reversed(self.rows) if all(row.get(k) == v for k, v in wanted.items())), None)

    def add(self, content: str, answer: Mapping[str, Any]) -> None:
        """Keep an answer, on disk before this returns."""
        row = {**answer, "content": content, "settings": self.settings}
        self.rows.append(row)
        if self.path is not None:
            append_values(self.path, [row])

    def _check(self, begun: Any) -> None:
        if begun == self.settings:
            return
        if not isinstance(begun, dict):
            raise SettingsError(
                f"{self.path} does not say with which model and options it was made, so its answers cannot be gone on "
                "with; name another file, or delete this one"
            )
        raise SettingsError(
            f"{self.path} was begun with other settings: {differences(begun, self.settings)}. Give the same settings, "
            "or name another file"
        )


def answer_settings(
    model: ChatModel, processor: Processor, sampling: Sampling | None = None, **options: Any
) -> dict[str, Any]:
    """What an answer depends on beside its medium: weights, processor, sampling, and the options of the job."""
    own: Sampling = getattr(model, "sampling", Sampling())
    how = (sampling or own).model_dump(mode="json")
    return {
        "weights": str(getattr(model, "fingerprint", type(model).__name__)),
        "stamp": processor.stamp.hash,
        "sampling": {name: value for name, value in how.items() if value not in (None, [], "")},
        **options,
    }


def differences(begun: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Settings that are not equal, in words.

    `{"query": "cat", "fps": 2}` and `{"query": "dog", "fps": 2}` give `query was 'cat' and is 'dog'`.
    """
    a, b = _flat(begun), _flat(now)
    changed = [name for name in dict.fromkeys([*a, *b]) if a.get(name) != b.get(name)]
    return "; ".join(f"{name} was {a.get(name)!r} and is {b.get(name)!r}" for name in changed)


def _flat(settings: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        inner = _flat(value) if isinstance(value, Mapping) else {"": value}
        flat |= {f"{name}.{key}" if key else name: part for key, part in inner.items()}
    return flat
