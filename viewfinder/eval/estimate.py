"""What a run will ask for, before anything is asked: requests, tokens, and the patch grids to price them by.

Pictures are measured at the sizes that the official processor gives them; clips by their length, rate and budget;
text by four characters a token. No model is needed.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from viewfinder.eval.question import FACTOR, Question, expected_transform
from viewfinder.eval.task import MediaSettings
from viewfinder.media.video import probe_video
from viewfinder.messages import ImagePart, TextPart, VideoPart

_CHARACTERS = 4
DEFAULT_FPS, DEFAULT_MAX_FRAMES, DEFAULT_TOTAL = 2.0, 768, 24576 * FACTOR**2


@dataclass
class Estimate:
    """Sums over all requests; `answer_tokens` is the most that may be generated."""

    requests: int = 0
    media_tokens: int = 0
    text_tokens: int = 0
    answer_tokens: int = 0

    def sentence(self) -> str:
        prompt = self.media_tokens + self.text_tokens
        return (
            f"{self.requests:,} requests, about {prompt:,} prompt tokens ({self.media_tokens:,} of media), "
            f"at most {self.answer_tokens:,} answer tokens"
        )

    def scaled(self, requests: int) -> "Estimate":
        """For so many requests like these."""
        share = requests / self.requests if self.requests else 0.0
        rest = (round(v * share) for v in (self.media_tokens, self.text_tokens, self.answer_tokens))
        return Estimate(requests if self.requests else 0, *rest)

    def plus(self, other: "Estimate") -> "Estimate":
        return Estimate(
            *(mine + theirs for mine, theirs in zip(vars(self).values(), vars(other).values(), strict=True))
        )


def estimate(questions: Iterable[Question], settings: MediaSettings, max_new_tokens: int) -> Estimate:
    """Price questions as they would be sent."""
    total = Estimate()
    for question in questions:
        total.requests += 1
        total.answer_tokens += max_new_tokens
        for message in settings.apply(question.messages):
            for part in message.parts:
                if isinstance(part, TextPart):
                    total.text_tokens += -(-len(part.text) // _CHARACTERS)
                elif isinstance(part, ImagePart):
                    width, height = expected_transform(part).resized_size
                    total.media_tokens += width * height // FACTOR**2
                elif isinstance(part, VideoPart):
                    total.media_tokens += _clip_tokens(part)
    return total


def _clip_tokens(part: VideoPart) -> int:
    """Tokens of a clip: two frames make one group; the budget of all frames is a hard cap."""
    if isinstance(part.video, list):
        width, height = part.video[0].size
        frames = len(part.video)
    else:
        info = probe_video(part.video)
        (width, height), seconds = info.size, (part.video_end or info.duration) - (part.video_start or 0.0)
        frames = part.nframes or min(int(seconds * (part.fps or DEFAULT_FPS)), part.max_frames or DEFAULT_MAX_FRAMES)
    budget = (part.total_pixels or DEFAULT_TOTAL) * 2 // max(frames, 2)
    pixels = min(width * height, part.max_pixels or 768 * FACTOR**2, budget)
    pixels = max(pixels, min(part.min_pixels or 128 * FACTOR**2, budget))
    return max(frames, 2) // 2 * (pixels // FACTOR**2)
