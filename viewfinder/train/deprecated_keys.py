"""Settings under the names they had before, accepted for one version: in `key=value` and in saved configs.

Each use shows a `FutureWarning` with the new name.
"""

import warnings
from collections.abc import Container
from typing import Any

RENAMED = {
    "length": "seq_len",
    "packs": "global_batch_size",
    "rates": "lr_scale",
    "dense_weight": "extra_losses.token_labels",
    "align_weight": "extra_losses.feature_alignment",
    "pointing_weight": "extra_losses.attention",
    "naming_weight": "extra_losses.words",
    "see": "media_input",
}
"""Old top-level key to new key."""
_RENAMED_VALUES = {"symbols": "labels"}
"""Values of `media_input`."""


def current_pair(pair: str) -> str:
    """`key=value` with the current name of the key: "rates.tower=0" becomes "lr_scale.tower=0"."""
    key, separator, value = pair.partition("=")
    first, dot, rest = key.partition(".")
    if first not in RENAMED or (dot and first != "rates"):
        return pair
    _warn(first)
    return f"{RENAMED[first]}{dot}{rest}{separator}{_RENAMED_VALUES.get(value, value) if first == 'see' else value}"


def current_keys(raw: dict[str, Any], known: Container[str]) -> dict[str, Any]:
    """A config as read from a file, with current keys. Old settings of losses that are off are left out.

    Args:
        known: top-level keys that the config has; "see" is dropped where `media_input` is not one of them.
    """
    old = [key for key in raw if key in RENAMED]
    if not old:
        return raw
    result = {key: value for key, value in raw.items() if key not in RENAMED}
    for key in old:
        section, _, name = RENAMED[key].partition(".")
        value = raw[key]
        if key == "see":
            if section not in known and value == "pixels":
                continue
            value = _RENAMED_VALUES.get(value, value)
        if not name:
            result[section] = value
        elif value:
            result[section] = {**result.get(section, {}), name: value}
    _warn(*old)
    return result


def _warn(*old: str) -> None:
    names = ", ".join(f"{key} is now {RENAMED[key]}" for key in old)
    warnings.warn(f"settings were renamed: {names}; the old names work until the next version", FutureWarning, 4)
