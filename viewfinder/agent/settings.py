"""What a run may cost and how it is told (`Settings`), and how it ended (`Episode`)."""

from dataclasses import dataclass, field

from viewfinder.agent.environment import Observation
from viewfinder.agent.prompts import PromptStyle
from viewfinder.media.resize import MAX_PIXELS, MIN_PIXELS
from viewfinder.messages import Sampling


@dataclass(frozen=True)
class Settings:
    """Limits and forms of a run.

    Attributes:
        steps, seconds, tokens: where a run ends at the latest; tokens of prompts and answers together.
        mistakes: so many unusable answers one after another end it.
        circles: the same action on the same screen so many times ends it.
        min_pixels, max_pixels: budget of a screen for the model, as its processor has them.
        past_screens: earlier screens to show again; the report shows none.
        grammar: let only possible calls be written, with places on the screen; needs a model that takes grammars.
        thought: characters before a call, at most, where a grammar holds: a weak model would never come to act.
        dry_run: judge and write down the first action, and do nothing.
    """

    steps: int = 30
    seconds: float = 900.0
    tokens: int = 200_000
    mistakes: int = 4
    circles: int = 4
    min_pixels: int = MIN_PIXELS
    max_pixels: int = MAX_PIXELS
    past_screens: int = 0
    form: PromptStyle = "official"
    grammar: bool = True
    thought: int = 400
    dry_run: bool = False
    sampling: Sampling = field(default_factory=lambda: Sampling(max_new_tokens=512))


@dataclass(frozen=True)
class Episode:
    """How a run ended.

    Attributes:
        reason: success or failure (as the model said), steps, seconds, tokens, mistakes, circles, stopped,
            dry run, or error.
        note: one sentence about it.
        steps: taken; `seconds` and `tokens` used.
        final: the last look at the screen: the evidence.
    """

    reason: str
    note: str
    steps: int
    seconds: float
    tokens: int
    final: Observation
