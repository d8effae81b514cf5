"""Which steps are skipped: those whose loss or gradient is not finite, and those whose gradient norm is a spike."""

import math
import statistics
from collections import deque

from viewfinder.train.config import ConfigError, StepGuardConfig


class StepGuard:
    """Keeps recent gradient norms and counts skipped steps. Norms are over all ranks, so all ranks agree."""

    def __init__(self, config: StepGuardConfig) -> None:
        self.config = config
        self.skipped = 0
        self.norms: deque[float] = deque(maxlen=config.window)

    def allows(self, step: int, loss: float, norm: float) -> str:
        """The reason to skip a step, or "".

        Raises:
            ConfigError: more skipped steps than the config allows.
        """
        reason = self._reason(loss, norm)
        if not reason:
            self.norms.append(norm)
            return ""
        self.skipped += 1
        if self.skipped > self.config.max_bad_steps:
            raise ConfigError(
                f"step {step} was the {self.skipped}th to be skipped ({reason}), more than guard.max_bad_steps allows; "
                "lower the learning rates and run again, which resumes from the last saved state"
            )
        return reason

    def _reason(self, loss: float, norm: float) -> str:
        if not (math.isfinite(loss) and math.isfinite(norm)):
            return f"loss {loss:.3g} or gradient norm {norm:.3g} is not finite"
        if self.config.spike and len(self.norms) >= self.config.window // 4:
            usual = statistics.median(self.norms)
            if norm > self.config.spike * usual:
                return f"gradient norm {norm:.3g} is {norm / usual:.0f} times the usual {usual:.3g}"
        return ""

    def state(self) -> dict[str, object]:
        return {"skipped": self.skipped, "norms": list(self.norms)}

    def restore(self, state: dict[str, object]) -> None:
        self.skipped = int(state["skipped"])  # type: ignore[call-overload]
        self.norms.extend(state["norms"])  # type: ignore[arg-type]
