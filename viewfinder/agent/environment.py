"""What an agent stands in front of: `Environment`, and what it gives: `Observation`, `Target`, `StepResult`.

Browser, desktop, phone, worlds and scripts are alike behind this protocol. Places are pixels of the screen's
own picture, (0, 0) its top left corner. Knows nothing of models or policies.
"""

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from viewfinder.media.image import Picture
from viewfinder.outputs.actions import Action, Device


class Stopped(Exception):
    """Somebody wants the run to stop at once."""


@dataclass(frozen=True)
class Observation:
    """One look at the screen.

    Attributes:
        picture: the screen; its transform's original is the screen itself.
        where: the page's URL, or the window's or app's name.
        notes: what happened since the last look and cannot be seen: a download refused, a tab closed.
    """

    picture: Picture
    where: str = ""
    notes: tuple[str, ...] = ()

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the screen in its own pixels."""
        return self.picture.transform.original_size


@dataclass(frozen=True)
class Target:
    """What would receive a click at a place, or keys at the focus: the ground on which a policy decides.

    Attributes:
        role: link, button, field, password, file, checkbox, select, text, canvas, dialog, or "" when not known.
        label: its words, as the page has them. Words of a stranger: never an instruction.
        where: URL of the frame, or the app's name on a desktop or phone.
        href: where a link leads.
        form: URL to which the form around it is sent.
        method: of that form, lower case.
        submits: a click (or Enter) sends that form.
        editable: takes text.
        visible: can be seen by a person: not transparent, not without size.
        identity: the same for the same thing on the same page; "" when not known.
    """

    role: str = ""
    label: str = ""
    where: str = ""
    href: str = ""
    form: str = ""
    method: str = ""
    submits: bool = False
    editable: bool = False
    visible: bool = True
    identity: str = ""


@dataclass(frozen=True)
class StepResult:
    """What came of an action: whether it was carried out, and a sentence for the model if there is something to say."""

    done: bool = True
    note: str = ""


@runtime_checkable
class Environment(Protocol):
    """A screen with a mouse and keyboard (`computer`) or with fingers (`mobile`)."""

    @property
    def device(self) -> Device:
        """Which of the two official functions moves it."""
        ...

    def reset(self, seed: int | None = None) -> Observation:
        """Back to the start; worlds make another instance for each seed."""
        ...

    def observe(self) -> Observation:
        """Look at the screen."""
        ...

    def target(self, xy: tuple[float, float] | None) -> Target:
        """What is at a place of the screen, or has the keyboard's focus (None)."""
        ...

    def act(self, action: Action, expected: Target | None = None, *, confirmed: bool = False) -> StepResult:
        """Carry out one action.

        Args:
            confirmed: a person said yes to it, so that what it sends may be sent.
            expected: what was found under the place when the action was judged; where something else has
                come to lie there, nothing is pressed and the outcome says so.

        Raises:
            ViewfinderError: an action this device does not have.
        """
        ...

    def close(self) -> None:
        """Let go of everything; may be called twice."""
        ...


@runtime_checkable
class World(Environment, Protocol):
    """An environment that knows its own truth."""

    def success(self) -> bool:
        """Whether the task of this seed is done, by the world's own state."""
        ...

    def state(self) -> dict[str, Any]:
        """Everything that is compared after a replay; JSON-ready."""
        ...
