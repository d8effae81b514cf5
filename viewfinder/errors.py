"""The exception tree: what can go wrong for a user, each with one sentence that says what to do.

    ViewfinderError (ValueError)
    ├── MediaError            bytes that are not the picture, clip or page they were said to be
    │   └── LimitError        readable, but over a cap on bytes, pixels, pages, frames or seconds
    ├── DataError             a data set, source row or plan that cannot be used as it is
    ├── MissingMaterial       a program, package, font or picture that drawing needs and this machine lacks
    ├── MessageError          a conversation that does not have a known shape
    ├── CheckpointError       a model directory that cannot be loaded as it is
    ├── ContextLengthError    more tokens than the model can take
    ├── GrammarError          a schema or grammar that cannot constrain decoding
    └── StampError            training and serving settings that disagree

A message says what was found, what was expected, what follows, and the remedy. Errors of the
programmer are assertions and do not appear here.
"""


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


class MessageError(ViewfinderError):
    """A conversation with an unknown key, role or part."""


class CheckpointError(ViewfinderError):
    """A checkpoint directory with missing, unexpected, mis-shaped or unsafe contents."""


class ContextLengthError(ViewfinderError):
    """A request longer than the context of the model."""


class GrammarError(ViewfinderError):
    """A schema or grammar that cannot be compiled, or an answer that broke one."""


class StampError(ViewfinderError):
    """Two stamps that ought to be equal and are not."""
