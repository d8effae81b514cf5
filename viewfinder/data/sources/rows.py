"""What all sources share: rows by number, each of which gives one sample or says why not."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from viewfinder.data.plan import Bad
from viewfinder.data.sample import Sample
from viewfinder.errors import MissingMaterial, ViewfinderError
from viewfinder.messages import Message


def guarded(make: Callable[[], Sample], name: Callable[[], str]) -> Sample | Bad:
    """The sample, or the reason for which there is none, with the row's name; strangers' rows may raise anything.

    Raises:
        MissingMaterial: no row can be made without it.
    """
    try:
        return make()
    except MissingMaterial:
        raise
    except ViewfinderError as error:
        return Bad(str(error), name())
    except Exception as error:
        return Bad(f"{type(error).__name__}: {error}", name())


def new_sample(messages: Sequence[Message], task: str, **fields: Any) -> Sample:
    """A sample whose license, language and domain are the source's unless they are given."""
    return Sample(messages=tuple(messages), task=task, **{"license": "", "language": "", "domain": "", **fields})


class RowSource:
    """A source over a list of rows: subclasses list them and make a sample of one.

    Attributes:
        license, language, domain: of every sample whose row does not say.
        path: the file or folder of the rows.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    domain: ClassVar[str] = "file"
    path: Path

    def __init__(self, rows: Sequence[Any], license: str = "unknown", language: str = "en") -> None:
        self.rows, self.license, self.language = rows, license, language

    def __len__(self) -> int:
        return len(self.rows)

    def read(self, start: int, stop: int) -> Iterator[Sample | Bad]:
        """The rows from `start` up to `stop`, one result each."""
        for number in range(start, stop):
            yield guarded(partial(self._finished, number), partial(self.describe, number))

    def make(self, row: Any, number: int) -> Sample:
        """The sample of one row, whose number may seed a choice; any exception sets the row aside."""
        raise NotImplementedError

    def describe(self, number: int) -> str:
        """The row's name in the quarantine."""
        return f"row {number + 1} of {self.path.name}"

    def _finished(self, number: int) -> Sample:
        sample = self.make(self.rows[number], number)
        return replace(
            sample,
            id=sample.id or f"{self.name}-{number}",
            domain=sample.domain or self.domain,
            license=sample.license or self.license,
            language=sample.language or self.language,
            lineage=(f"source.{self.name}@{self.version}", *sample.lineage),
        )
