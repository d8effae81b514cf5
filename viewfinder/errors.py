"""The exception tree: what can go wrong for a user, each with one sentence that says what to do.

    ViewfinderError (ValueError)
    ├── MediaError            bytes that are not the picture, clip or page they were said to be
    │   └── LimitError        readable, but over a cap on bytes, pixels, pages, frames or seconds
    ├── DataError             a data set, source row or plan that cannot be used as it is
    ├── MissingMaterial       a program, package, font or picture that drawing needs and this machine lacks
    ├── SettingsError         a setting by a name that is not known, of a value that cannot be, or other than before
    ├── MessageError          a conversation that does not have a known shape
    ├── CheckpointError       a model directory that cannot be loaded as it is
    ├── RanksError            one of the processes that share a model has ended
    ├── ContextLengthError    more tokens than the model can take
    ├── GrammarError          a schema or grammar that cannot constrain decoding
    └── StampError            training and serving settings that disagree

A message says what was found, what was expected, what follows, and the remedy. Errors of the
programmer are assertions and do not appear here.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class ViewfinderError(ValueError):
    """Base of every error that is meant for a user; the command line prints it as one line."""


class MediaError(ViewfinderError):
    """A source that cannot be read as the image, video or document it was given as."""


class LimitError(MediaError):
    """A source over a cap; names the cap and how to raise it."""


class DataError(ViewfinderError):
    """A data set, a row of a source, a plan or a kind of sample that cannot be used as it is."""


class MissingMaterial(ViewfinderError):
    """A program, package, font or picture that drawing needs and this machine lacks.

    Raised before anything is drawn, with the remedy. No other draw can do better, so it ends the work: it is no
    `DataError`, which sets one row aside.
    """


class SettingsError(ViewfinderError):
    """A setting that is not known or cannot have this value; or a file of answers that was begun with others."""


def check_names(given: Iterable[str], known: Iterable[str], what: str) -> None:
    """Raise `SettingsError` for the first name that is not known, with the nearest that is: `max_pixel is no setting of
    the processor; did you mean max_pixels?`"""
    names = sorted(known)
    for name in given:
        if name not in names:
            near = get_close_matches(name, names, 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}"
            raise SettingsError(f"{name} is no {what}; {hint}")


class MessageError(ViewfinderError):
    """A conversation with an unknown key, role or part."""


class CheckpointError(ViewfinderError):
    """A checkpoint directory with missing, unexpected, mis-shaped or unsafe contents."""


class RanksError(ViewfinderError):
    """One of the processes that have a part of a model has ended or failed, so the model answers no more."""


class ContextLengthError(ViewfinderError):
    """A request longer than the context of the model."""


class GrammarError(ViewfinderError):
    """A schema or grammar that cannot be compiled, or an answer that broke one."""


class StampError(ViewfinderError):
    """Two stamps that ought to be equal and are not."""


class EvaluationError(ViewfinderError):
    """Data that is not in the official schema, a run that was begun with other settings, or an unknown task."""
