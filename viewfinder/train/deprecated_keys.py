"""Settings under their former names, accepted for one version with a warning: in `key=value` and in saved configs."""

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


def current_pair(pair: str) -> str:
    """`key=value` with the current name: "rates.tower=0" becomes "lr_scale.tower=0"."""
    key, separator, value = pair.partition("=")
    first, dot, rest = key.partition(".")
    if first not in RENAMED or (dot and first != "rates"):
        return pair
    _warn(first)
    return f"{RENAMED[first]}{dot}{rest}{separator}{_value(first, value)}"


def current_keys(raw: dict[str, Any], known: Container[str]) -> dict[str, Any]:
    """A saved config with the current names, without the weights of losses that are off.

    Args:
        known: settings of the config; only that of the built-in model has a `media_input`.
    """
    result = {key: value for key, value in raw.items() if key not in RENAMED}
    for key in raw.keys() & RENAMED.keys():
        section, _, name = RENAMED[key].partition(".")
        if name and raw[key]:
            result[section] = {**result.get(section, {}), name: raw[key]}
        elif not name and (section in known or raw[key] != "pixels"):
            result[section] = _value(key, raw[key])
        _warn(key)
    return result


def _value(key: str, value: Any) -> Any:
    return "labels" if key == "see" and value == "symbols" else value


def _warn(key: str) -> None:
    text = f"the setting {key} is now {RENAMED[key]}; the old name works until the next version"
    warnings.warn(text, FutureWarning, stacklevel=4)
