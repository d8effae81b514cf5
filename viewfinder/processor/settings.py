"""The numbers of preprocessing, with the official defaults, written to `preprocessor_config.json`.

They are read by `preprocessor_config`. What the file of the official checkpoints does not carry (video sampling) stands
under the key `viewfinder`.

`Stamp` (contract 5) is the hash of all settings behind tokens and positions, so that training and serving can be
compared: equal stamps mean equal tokens and positions for equal input, on any machine.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from viewfinder.errors import StampError, check_names
from viewfinder.processor.patchify import IMAGE_MEAN, IMAGE_STD
from viewfinder.processor.preprocessor_config import read_preprocessor_config

_BICUBIC = 3
_OWN_KEYS = ("fps", "min_frames", "max_frames", "video_min_pixels", "video_max_pixels", "total_pixels")


@dataclass(frozen=True)
class ProcessorSettings:
    """Budgets in pixels after resizing (height x width), sizes in pixels, rates per second.

    Attributes:
        min_pixels, max_pixels: bounds of one picture.
        patch_size, temporal_patch_size, merge_size: 14 pixels, 2 frames, 2 x 2 patches to a token.
        image_mean, image_std: per channel, of values between 0 and 1.
        tokens_per_second: temporal position ids in a second of video.
        fps, min_frames, max_frames: how a clip is sampled unless a message says otherwise.
        video_min_pixels, video_max_pixels: bounds of one frame; total_pixels: of all frames of a clip.
        normalize: False leaves patches as bytes, which the tower normalises: a quarter of the way to a GPU. In no file
            and no stamp.
    """

    min_pixels: int = 4 * 28 * 28
    max_pixels: int = 16384 * 28 * 28
    patch_size: int = 14
    temporal_patch_size: int = 2
    merge_size: int = 2
    image_mean: tuple[float, ...] = IMAGE_MEAN
    image_std: tuple[float, ...] = IMAGE_STD
    tokens_per_second: float = 2
    fps: float = 2.0
    min_frames: int = 4
    max_frames: int = 768
    video_min_pixels: int = 128 * 28 * 28
    video_max_pixels: int = 768 * 28 * 28
    total_pixels: int = int(128000 * 28 * 28 * 0.9)
    normalize: bool = True

    @property
    def factor(self) -> int:
        """Pixels on a side of one token (28)."""
        return self.patch_size * self.merge_size

    @classmethod
    def from_pretrained(cls, directory: str | Path) -> "ProcessorSettings":
        """Read a checkpoint directory, its token rate from `config.json`.

        Raises:
            CheckpointError: no such file, or a value that this package cannot honour.
        """
        return cls(**read_preprocessor_config(Path(directory)))

    def to_dict(self) -> dict[str, Any]:
        """The content of `preprocessor_config.json`, for this package and for transformers from 4.49 on."""
        return {
            "image_processor_type": "Qwen2VLImageProcessor",
            "processor_class": "Qwen2_5_VLProcessor",
            "do_convert_rgb": True,
            "do_normalize": True,
            "do_rescale": True,
            "do_resize": True,
            "image_mean": list(self.image_mean),
            "image_std": list(self.image_std),
            "max_pixels": self.max_pixels,
            "merge_size": self.merge_size,
            "min_pixels": self.min_pixels,
            "patch_size": self.patch_size,
            "resample": _BICUBIC,
            "rescale_factor": 1 / 255,
            "size": {"longest_edge": self.max_pixels, "shortest_edge": self.min_pixels},
            "temporal_patch_size": self.temporal_patch_size,
            "viewfinder": {name: getattr(self, name) for name in _OWN_KEYS},
        }

    def stamped(self) -> dict[str, Any]:
        """All values that matter to tokens and positions, as JSON ones, by name."""
        values = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}
        del values["normalize"]
        return values

    def with_(self, **changes: Any) -> "ProcessorSettings":
        """A copy with some values changed; None leaves a value as it is.

        Raises:
            SettingsError: a name that is not known.
        """
        check_names(changes, (field.name for field in fields(self)), "setting of the processor")
        return replace(self, **{name: value for name, value in changes.items() if value is not None})


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
