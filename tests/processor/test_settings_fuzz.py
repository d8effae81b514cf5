"""Two thousand mutated settings files: each value is read as it is meant, or refused or said with its file and key.

The rules below say independently what a value means; nothing may be dropped in silence.
"""

import copy
import json
import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.model.test_config import nested
from tests.processor.test_preprocessor_config import IMAGE, VIDEO
from viewfinder.config import ModelConfig
from viewfinder.engine.checkpoints import eos_token_ids, generation_defaults
from viewfinder.errors import CheckpointError
from viewfinder.processor.settings import ProcessorSettings

REFUSED, REQUIRED = object(), object()


def whole(value: Any) -> Any:
    is_whole = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return int(value) if is_whole and value == value // 1 and 0 < value < 2**53 else REFUSED


def positive(value: Any) -> Any:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and 0 < value < math.inf else REFUSED


def three(value: Any) -> Any:
    values = value if isinstance(value, list) else [value] * 3
    if len(values) != 3 or not all(isinstance(v, int | float) and not isinstance(v, bool) for v in values):
        return REFUSED
    return tuple(map(float, values)) if all(map(math.isfinite, values)) else REFUSED


def spread(value: Any) -> Any:
    read = three(value)
    return read if read is REFUSED or min(read) > 0 else REFUSED


def ids(value: Any) -> Any:
    values = value if isinstance(value, list) else [value]
    is_good = values and all(type(v) is int and 0 <= v < 2**31 for v in values)
    return tuple(values) if is_good else REFUSED


def only(*values: Any) -> Callable[[Any], Any]:
    return lambda value: values[0] if any(value == v and type(value) is type(v) for v in values) else REFUSED


def up_to_one(value: Any) -> Any:
    read = positive(value)
    return read if read is REFUSED or read <= 1 else REFUSED


def from_zero(value: Any) -> Any:
    return 0.0 if value == 0 and not isinstance(value, bool | list | dict | str) else positive(value)


def top_k(value: Any) -> Any:
    is_none = isinstance(value, int | float) and not isinstance(value, bool) and value in (0, -1)
    return 0 if is_none else whole(value)


@dataclass(frozen=True)
class Rule:
    """How one key is read: `get` of what was read, the meaning of a value, and that of an absent one."""

    get: Callable[[Any], Any]
    read: Callable[[Any], Any]
    absent: Any


@dataclass(frozen=True)
class Kind:
    """One file with its rules by path; keys without a rule are without effect."""

    name: str
    base: dict[str, Any]
    load: Callable[[Path], Any]
    rules: dict[tuple[str, ...], Rule]


def _model() -> Kind:
    def text(name: str, read: Any, absent: Any = REQUIRED) -> tuple[tuple[str, ...], Rule]:
        return ("text_config", name), Rule(lambda c: getattr(c.text, name), read, absent)

    def vision(name: str, absent: Any = REQUIRED, read: Any = whole) -> tuple[tuple[str, ...], Rule]:
        return ("vision_config", name), Rule(lambda c: getattr(c.vision, name), read, absent)

    rules = dict(
        [
            text("rms_norm_eps", positive, 1e-5),
            text("max_position_embeddings", whole, 32768),
            text("hidden_size", whole),
            text("vocab_size", whole),
            text("num_hidden_layers", whole),
            text("num_attention_heads", whole),
            text("num_key_value_heads", whole, 16),
            vision("tokens_per_second", 4),
            vision("depth", 32),
            vision("num_heads", 16),
            vision("window_size", 112),
            vision("out_hidden_size"),
        ]
    )
    rules["text_config", "eos_token_id"] = Rule(lambda c: c.eos_token_id, lambda v: _first(ids(v)), 151645)
    rules["text_config", "bos_token_id"] = Rule(lambda c: c.bos_token_id, lambda v: _first(ids(v)), 151643)
    rules["text_config", "hidden_act"] = Rule(lambda c: "silu", only("silu"), "silu")
    rules["text_config", "use_sliding_window"] = Rule(lambda c: False, only(False), False)
    rules["text_config", "rope_parameters", "rope_theta"] = Rule(lambda c: c.text.rope_theta, positive, 1e6)
    rules["tie_word_embeddings",] = Rule(lambda c: c.text.tie_word_embeddings, only_bool, False)
    rules["image_token_id",] = Rule(lambda c: c.image_token_id, lambda v: _first(ids([_int(v)])), 151655)
    return Kind("config.json", nested(), ModelConfig.from_pretrained, rules)


def only_bool(value: Any) -> Any:
    return value if isinstance(value, bool) else REFUSED


def _int(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _first(found: Any) -> Any:
    return found if found is REFUSED else found[0]


def _pictures(inside: tuple[str, ...], name: str, base: dict[str, Any]) -> Kind:
    def rule(key: str, read: Any, absent: Any) -> tuple[tuple[str, ...], Rule]:
        return (*inside, key), Rule(lambda s: getattr(s, key), read, absent)

    rules = dict(
        [
            rule("patch_size", whole, 14),
            rule("merge_size", whole, 2),
            rule("temporal_patch_size", lambda v: 2 if whole(v) == 2 else REFUSED, 2),
            rule("image_mean", three, tuple(IMAGE["image_mean"])),
            rule("image_std", spread, tuple(IMAGE["image_std"])),
        ]
    )
    rules[*inside, "size", "shortest_edge"] = Rule(lambda s: s.min_pixels, whole, 3136)
    rules[*inside, "size", "longest_edge"] = Rule(lambda s: s.max_pixels, whole, 1280 * 784)
    for key in ("do_resize", "do_rescale", "do_normalize"):
        rules[*inside, key] = Rule(lambda s: True, only(True), True)
    rules[*inside, "resample"] = Rule(lambda s: 3, only(3, 3.0, "bicubic"), 3)
    rules[*inside, "rescale_factor"] = Rule(
        lambda s: round(IMAGE["image_std"][0] / s.image_std[0] / 255, 9),
        lambda v: v if (v := positive(v)) is REFUSED else round(v, 9),
        round(1 / 255, 9),
    )
    return Kind(name, base, ProcessorSettings.from_pretrained, rules)


def _generation() -> Kind:
    def load(directory: Path) -> Any:
        return generation_defaults(directory), eos_token_ids(directory, 99)

    def rule(key: str, read: Any, absent: Any) -> tuple[tuple[str, ...], Rule]:
        return (key,), Rule(lambda found: getattr(found[0], key), read, absent)

    rules = dict(
        [
            rule("temperature", from_zero, 1.0),
            rule("top_k", top_k, 0),
            rule("top_p", up_to_one, 1.0),
            rule("repetition_penalty", positive, 1.0),
            rule("max_new_tokens", whole, 1024),
        ]
    )
    rules["eos_token_id",] = Rule(lambda found: found[1], ids, (99,))
    rules["do_sample",] = Rule(lambda found: found[0].temperature > 0, only_bool, False)
    base = {"do_sample": True, "eos_token_id": [7, 8], "temperature": 0.5, "top_k": 5, "top_p": 0.5}
    base |= {"repetition_penalty": 1.5, "max_new_tokens": 50, "transformers_version": "4.49", "pad_token_id": 8}
    return Kind("generation_config.json", base, load, rules)


KINDS = [
    _model(),
    _pictures((), "preprocessor_config.json", IMAGE),
    _pictures(("image_processor",), "processor_config.json", {"image_processor": IMAGE, "processor_class": "x"}),
    _generation(),
]
VALUES = [0, 1, -1, 2, 3, 16, 0.5, 1.0, 14.0, -0.5, 10**9, 10**30, "14", "", "abc", True, False, None]
VALUES += [[], [1], [3, 4], [0.5, 0.5, 0.5], [0.5, "x", 0.5], [[1]], {}, {"a": 1}, 1e-6, 448, math.inf, math.nan]


def mutate(kind: Kind, draw: random.Random) -> tuple[dict[str, Any], tuple[str, ...], str | None, Any]:
    """The file's content, the path that changed, a new name for its key, and its new value."""
    raw = copy.deepcopy(kind.base)
    path = draw.choice(sorted(kind.rules))
    holder = raw
    for key in path[:-1]:
        holder = holder[key]
    old = holder.pop(path[-1], None)
    match draw.randrange(8):
        case 0:
            return raw, path, None, None
        case 1:
            holder[new := path[-1] + draw.choice(["_", "s", "2"])] = old if old is not None else 5
            return raw, path, new, None
        case 2:
            value = str(old)
        case 3 if isinstance(old, int | float) and not isinstance(old, bool):
            value = old * 2
        case _:
            value = draw.choice(VALUES)
    holder[path[-1]] = value
    return raw, path, None, value


def outcome(kind: Kind, directory: Path) -> tuple[Any, str]:
    """What is read, and the sentence of a refusal."""
    try:
        return kind.load(directory), ""
    except CheckpointError as error:
        return None, str(error)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_no_value_is_dropped_in_silence(kind: Kind, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    draw = random.Random(0)
    file = tmp_path / kind.name
    file.write_text(json.dumps(kind.base))
    before = kind.load(tmp_path)
    counts = {"read": 0, "refused": 0, "said": 0}
    for _ in range(500):
        raw, path, renamed, value = mutate(kind, draw)
        file.write_text(json.dumps(raw))
        caplog.clear()
        rule = kind.rules[path]
        expected = rule.absent if value is None or (value == [] and path[-1] in _LISTS) else rule.read(value)
        found, error = outcome(kind, tmp_path)
        if error:
            case = f"{path} = {value!r}, renamed {renamed}: {error}"
            assert kind.name in error, case
            assert path[-1] in error, case
            assert expected in (REFUSED, REQUIRED) or _may_be_refused(kind, path, value), case
            counts["refused"] += 1
            continue
        case = f"{path} = {value!r}, renamed {renamed}, read as {rule.get(found)!r}"
        assert expected not in (REFUSED, REQUIRED), case
        assert rule.get(found) == expected, case
        for other, its in kind.rules.items():
            if other != path and not {other[-1], path[-1]} <= _JOINED:
                assert its.get(found) == its.get(before), f"{case}; {other} changed"
        if renamed:
            assert kind.name in caplog.text, case
            assert renamed in caplog.text, case
        counts["said" if renamed else "read"] += 1
    assert min(counts.values()) > 20, counts


_LISTS = ("eos_token_id", "bos_token_id")
_JOINED = {"image_mean", "image_std", "rescale_factor", "do_sample", "temperature", "top_k", "top_p"}
"""Values of which one decides what another means."""


def _may_be_refused(kind: Kind, path: tuple[str, ...], value: Any) -> bool:
    """Legal by itself, but not beside the rest: head counts that do not divide, bounds the wrong way round, numbers
    over what fits; a rename inside `size`."""
    crossed = (
        "hidden_size",
        "num_attention_heads",
        "num_key_value_heads",
        "num_heads",
        "shortest_edge",
        "longest_edge",
    )
    return path[-1] in crossed or (isinstance(value, int | float) and not value < 2**22)


def test_a_video_processor_is_read_or_refused_too(tmp_path: Path) -> None:
    draw = random.Random(1)
    kind = _pictures(
        ("video_processor",), "processor_config.json", {"video_processor": VIDEO, "image_processor": IMAGE}
    )
    (tmp_path / kind.name).write_text(json.dumps(kind.base))
    before = ProcessorSettings.from_pretrained(tmp_path)
    for _ in range(300):
        raw, path, renamed, value = mutate(kind, draw)
        (tmp_path / kind.name).write_text(json.dumps(raw))
        found, error = outcome(kind, tmp_path)
        if error:
            assert kind.name in error
            assert path[-1] in error
            continue
        read = kind.rules[path].absent if value is None else kind.rules[path].read(value)
        assert read is not REFUSED, f"{path} = {value!r}"
        if path[-1] not in ("shortest_edge", "longest_edge"):  # one tower: equal to the pictures' or refused
            assert found == before, f"{path} = {value!r}, renamed {renamed}"
