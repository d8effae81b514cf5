"""What is missing where an optional distribution is not installed, in a sentence."""

import re
from importlib import metadata

_FOR_TESTS = ("dev", "parity")


def missing(error: ModuleNotFoundError) -> str:
    """Name the module, and the extra of this package that brings it.

    `No module named 'pyarrow.parquet'`: "pyarrow is not installed, which this needs; pip install 'viewfinder[data]'".
    """
    name = (error.name or "").partition(".")[0]
    extra = _extras().get(name.lower().replace("_", "-"))
    return f"{name} is not installed, which this needs; pip install '{f'viewfinder[{extra}]' if extra else name}'"


def _extras() -> dict[str, str]:
    """The first extra of each distribution that is not of the core."""
    found: dict[str, str] = {}
    for line in metadata.requires("viewfinder") or ():
        match = re.match(r"""([\w.-]+)[^;]*;.*extra == ["']([\w-]+)["']""", line)
        if match and match[2] not in _FOR_TESTS:
            found.setdefault(match[1].lower().replace("_", "-"), match[2])
    return found
