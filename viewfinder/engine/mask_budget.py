"""How much of the engine's time the grammars of one tenant may take, so that costly masks of one delay no other.

A mask may cost milliseconds (`engine.grammar` bounds each), and all of a step are made one after another. Beside other
tenants, one whose masks took more than its share of processor time leaves steps out until that is made up for; its
answers come later and have the same tokens.
"""

from collections.abc import Sequence as Items

from viewfinder.engine.sequence import Sequence


class MaskBudget:
    """For the engine's thread."""

    def __init__(self, seconds: float = 0.005) -> None:
        """`seconds` of processor time a tenant and step, on average."""
        self.seconds = seconds
        self._owed: dict[str, float] = {}

    def note(self, sequence: Sequence) -> None:
        """Count what masks of a sequence took since the last call."""
        if spent := sequence.sampler.take_mask_seconds():
            self._owed[sequence.tenant] = self._owed.get(sequence.tenant, 0.0) + spent

    def next_step(self, running: Items[Sequence]) -> list[Sequence]:
        """Those of `running` that take part in the next step; the tenant that owes least always does.

        With 5 ms a step, masks of 40 ms in one step are followed by seven steps without.
        """
        tenants = {sequence.tenant for sequence in running}
        if len(tenants) < 2:
            self._owed.clear()
            return list(running)
        owed = {tenant: left for tenant, spent in self._owed.items() if (left := spent - self.seconds) > 0}
        self._owed = owed
        least = min(tenants, key=lambda tenant: owed.get(tenant, 0.0))
        late = {tenant for tenant in tenants if tenant in owed and tenant != least}
        return [one for one in running if one.sampler.constraint is None or one.tenant not in late]
