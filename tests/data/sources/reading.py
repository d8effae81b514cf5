"""Reading a whole source in tests: what came out, and what was set aside."""

from pathlib import Path
from typing import Any

from PIL import Image

from viewfinder.data.plan import Bad, build_plan
from viewfinder.data.sample import Sample


def read_all(name: str, path: Path, **options: Any) -> tuple[list[Sample], list[Bad]]:
    """Every row of a source, as plans make it."""
    source = build_plan({"source": {"name": name, "path": str(path), **options}}).source
    rows = list(source.read(0, len(source)))
    assert len(rows) == len(source)
    return [row for row in rows if isinstance(row, Sample)], [row for row in rows if isinstance(row, Bad)]


def picture(path: Path, size: tuple[int, int] = (60, 40), color: str = "red") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, color).save(path)
    return path


def damaged(path: Path) -> Path:
    """A picture that breaks off in the middle."""
    picture(path, (200, 200))
    path.write_bytes(path.read_bytes()[:60])
    return path
