"""How much of something one tenant may hold, so that there is always some left for others."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


class Shares:
    """Places that tenants take and give back. One tenant may hold as many as it leaves free.

    Of 256 places a tenant alone gets 128, the next one 64, and so on: whoever comes later finds some. With
    `one_tenant`, all are for one.
    """

    def __init__(self, places: int, *, one_tenant: bool = False) -> None:
        self.places, self._one_tenant = places, one_tenant
        self._held: Counter[str] = Counter()
        self._changed = threading.Condition()

    def held(self, tenant: str) -> int:
        return self._held[tenant]

    def take(self, tenant: str, seconds: float = 0.0) -> bool:
        """Take a place, within `seconds`; False when there is none for this tenant."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while not self._fits(tenant):
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                self._changed.wait(left)
            self._held[tenant] += 1
            return True

    def give(self, tenant: str) -> None:
        with self._changed:
            self._held[tenant] -= 1
            if not self._held[tenant]:
                del self._held[tenant]
            self._changed.notify_all()

    @contextmanager
    def taken(self, tenant: str, seconds: float = 0.0) -> Iterator[bool]:
        """Whether a place was there; it is given back at the end."""
        free = self.take(tenant, seconds)
        try:
            yield free
        finally:
            if free:
                self.give(tenant)

    def _fits(self, tenant: str) -> bool:
        free = self.places - self._held.total()
        return free > 0 and (self._one_tenant or self._held[tenant] < max(1, free))
