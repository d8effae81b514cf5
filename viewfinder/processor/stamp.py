"""Contract 5: the settings behind tokens and positions, hashed, so that training and serving can be compared.

Equal stamps mean equal tokens and positions for equal input, on any machine. Knows names and values of
settings, not what they do.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from viewfinder.errors import StampError


@dataclass(frozen=True)
class Stamp:
    """Readable settings (JSON values) and their hash."""

    settings: Mapping[str, Any]

    @property
    def hash(self) -> str:
        """Sixteen hex digits of the SHA-256 of the settings as canonical JSON."""
        canonical = json.dumps(dict(self.settings), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Stamp) and self.hash == other.hash

    def __hash__(self) -> int:
        return hash(self.hash)

    def __str__(self) -> str:
        return self.hash

    def differences(self, other: "Stamp") -> dict[str, tuple[Any, Any]]:
        """Settings that are not equal, as (here, there); None where one side has none."""
        names = sorted({*self.settings, *other.settings})
        pairs = {name: (self.settings.get(name), other.settings.get(name)) for name in names}
        return {name: pair for name, pair in pairs.items() if _plain(pair[0]) != _plain(pair[1])}

    def check(self, other: "Stamp") -> None:
        """Stop unless `other` is equal.

        Raises:
            StampError: names each setting that differs, with both values.
        """
        differing = self.differences(other)
        if differing:
            listed = "; ".join(
                f"{name} is {here!r} here and {there!r} there" for name, (here, there) in differing.items()
            )
            raise StampError(
                f"stamp {self.hash} is not {other.hash}: {listed}. The same input would become other tokens; "
                "use the processor that the data or checkpoint was made with"
            )

    def to_dict(self) -> dict[str, Any]:
        """For manifests: the hash and the settings."""
        return {"hash": self.hash, "settings": dict(self.settings)}

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> "Stamp":
        """Read back `to_dict`.

        Raises:
            StampError: the hash does not belong to the settings.
        """
        stamp = cls(dict(raw["settings"]))
        if stamp.hash != raw["hash"]:
            raise StampError(
                f"a stamp says {raw['hash']} but its settings hash to {stamp.hash}: the record was edited or damaged; "
                "make it again"
            )
        return stamp


def _plain(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
