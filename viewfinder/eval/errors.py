"""What can go wrong in an evaluation for a user."""

from viewfinder.errors import ViewfinderError


class EvaluationError(ViewfinderError):
    """Data that is not in the official schema, a run that was begun with other settings, or an unknown task."""
