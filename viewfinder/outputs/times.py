"""One moment as text <-> seconds: `3.2`, `3.2s`, `12:34.56`, `1:02:03`, `0:00:12:05` (hmsf), `1h2m3s`.

The forms the model was trained in are seconds and hour-minute-second-frame; the cookbooks ask for
`mm:ss.ff`, in which ff are hundredths. A frame number means nothing without frames per second.
"""

import re
from typing import Literal

TimeStyle = Literal["seconds", "mm:ss.ff", "h:mm:ss.ff", "hmsf"]

CLOCK = r"\d+:\d{1,2}(?::\d{1,2}){0,2}(?:[.,]\d+)?"
_CLOCK = re.compile(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:[.,]\d+)?)(?:s|sec|secs|seconds?)?")
_HMSF = re.compile(r"(\d+):(\d+):(\d+):(\d+)")
_UNITS = re.compile(
    r"(?:(\d+)\s*h(?:ours?|rs?)?)?[\s,]*(?:(\d+(?:\.\d+)?)\s*(?:m(?:in(?:ute)?s?)?|分钟?))?[\s,]*(?:and\s+)?"
    r"(?:(\d+(?:\.\d+)?)\s*(?:s(?:ec(?:ond)?s?)?|秒))?(?:\s*(\d+)\s*f(?:rames?)?)?",
    re.IGNORECASE,
)


def parse_time(value: object, fps: float | None = None) -> float | None:
    """Seconds, or None where `value` is no time. Frames of an hmsf time count only when `fps` is given.

    `parse_time("01:15.50") == 75.5`, `parse_time("0:01:15:15", fps=30) == 75.5`, `parse_time(75.5) == 75.5`.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value) if abs(value) < 1e12 else None
    text = str(value).strip().lower()[:40]
    if (match := _HMSF.fullmatch(text)) is not None:
        return _seconds(match[1], match[2], match[3], match[4], fps)
    if (match := _CLOCK.fullmatch(text)) is not None:
        return _seconds(match[1], match[2], match[3], None, fps)
    if (match := _UNITS.fullmatch(text)) is not None and any(match.groups()):
        return _seconds(match[1], match[2], match[3], match[4], fps)
    return None


def _seconds(
    hours: str | None, minutes: str | None, seconds: str | None, frames: str | None, fps: float | None
) -> float:
    whole = float(hours or 0) * 3600 + float(minutes or 0) * 60 + float((seconds or "0").replace(",", "."))
    return whole + (float(frames) / fps if frames and fps else 0.0)


def format_time(seconds: float, style: TimeStyle, fps: float | None = None) -> str:
    """The text of a moment. Rounds to tenths (seconds), hundredths, or down to the frame (hmsf, needs `fps`).

    `format_time(75.5, "mm:ss.ff") == "01:15.50"`.
    """
    assert seconds >= 0
    if style == "seconds":
        return f"{seconds:.1f}"
    if style == "hmsf":
        assert fps, "a frame number needs frames per second"
        units = round(fps)
        places = max(2, len(str(units - 1)))
        minutes, rest = divmod(int(seconds * units + 1e-6), 60 * units)
        return f"{minutes // 60}:{minutes % 60:02}:{rest // units:02}:{rest % units:0{places}}"
    minutes, rest = divmod(round(seconds * 100), 6000)
    tail = f"{rest // 100:02}.{rest % 100:02}"
    return f"{minutes:02}:{tail}" if style == "mm:ss.ff" else f"{minutes // 60}:{minutes % 60:02}:{tail}"
