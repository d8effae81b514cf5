"""The lock file of the server's install: makes it, and checks it without a network.

    python tools/lock.py make [PACKAGE ...]    # Python 3.11, Linux, pip-tools, an index with the CPU build of torch
    python tools/lock.py check                 # also a test: tests/test_lock.py

`requirements.lock` has every package of `viewfinder[serve]` and of the container with its version and the hashes of its
files: `pip install --require-hashes -r requirements.lock`, then `pip install --no-deps .`. The check holds it against
pyproject.toml, and against `advisories.json` beside this file: versions known to be unsafe of packages that are in it.
Each says where it was `checked`, on 2026-11-29; the list is kept by hand and knows no others.
"""

import json
import re
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
LOCK, ADVISORIES = ROOT / "requirements.lock", Path(__file__).with_name("advisories.json")
IN_THE_CONTAINER = ["pyarrow>=16,<26"]
TORCH = "torch==2.13.0"
_HEAD = """\
# Every package of the server with the hashes of its files, for Python 3.11 on Linux with the CPU build of torch.
# Made by `python tools/lock.py make`; to install: pip install --require-hashes -r requirements.lock \\
#   --extra-index-url https://download.pytorch.org/whl/cpu && pip install --no-deps --no-build-isolation .
"""
_PIN = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)((?:\s*\\\n\s+--hash=sha256:[0-9a-f]{64})*)", re.MULTILINE)


def locked(text: str) -> dict[str, tuple[Version, int]]:
    """Name to version and number of hashes."""
    return {
        canonicalize_name(name): (Version(version), hashes.count("--hash"))
        for name, version, hashes in _PIN.findall(text)
    }


def wanted() -> list[Requirement]:
    """What pyproject.toml asks for, and what the container has besides."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = [*project["dependencies"], *project["optional-dependencies"]["serve"], *IN_THE_CONTAINER]
    return [Requirement(line) for line in asked]


def problems(text: str, advisories: list[dict[str, str]]) -> list[str]:
    """Why the lock is not to be used; nothing where it is fine."""
    found: list[str] = []
    pins = locked(text)
    lines = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
    if len(lines) != len(pins):
        found.append(f"{len(lines) - len(pins)} lines are no exact version of a package")
    found += [f"{name} has no hash" for name, (_, hashes) in pins.items() if not hashes]
    for requirement in wanted():
        found += _missing(requirement, pins, "pyproject.toml")
    for name in pins:
        found += _of_package(name, pins)
    for advisory in advisories:
        version, _ = pins.get(canonicalize_name(advisory["package"]), (None, 0))
        if version is not None and version in SpecifierSet(advisory["affected"], prereleases=True):
            found.append(f"{advisory['package']} {version} is affected by {advisory['id']} ({advisory['affected']})")
    return found


def _of_package(name: str, pins: dict[str, tuple[Version, int]]) -> list[str]:
    """What a package needs is there too, as far as this version is installed here to be asked."""
    try:
        installed = distribution(name)
    except PackageNotFoundError:
        return []
    if Version(installed.version) != pins[name][0]:
        return []
    needs = [Requirement(line) for line in installed.requires or ()]
    plain = [need for need in needs if need.marker is None or need.marker.evaluate({"extra": ""})]
    return [problem for need in plain for problem in _missing(need, pins, name)]


def _missing(need: Requirement, pins: dict[str, tuple[Version, int]], who: str) -> list[str]:
    version, _ = pins.get(canonicalize_name(need.name), (None, 0))
    if version is None:
        return [f"{who} needs {need.name}, which is not in the lock"]
    if not need.specifier.contains(version, prereleases=True):
        return [f"{who} needs {need}, and the lock has {version}"]
    return []


def make(newer: list[str]) -> None:
    """Resolve again, `newer` packages in their newest versions. Options are left out of the file: which index is used is up to whoever installs."""
    command = [
        sys.executable,
        "-m",
        "piptools",
        "compile",
        "-q",
        "--generate-hashes",
        "--extra",
        "serve",
        "--strip-extras",
    ]
    command += [
        "--allow-unsafe",
        "--no-emit-options",
        "--no-emit-index-url",
        "--no-header",
        "--annotation-style=line",
    ]
    command += [f"--upgrade-package={name}" for name in newer]
    command += ["-o", str(LOCK), "pyproject.toml", "-"]
    subprocess.run(command, cwd=ROOT, check=True, text=True, input="\n".join([TORCH, *IN_THE_CONTAINER]))
    LOCK.write_text(_HEAD + LOCK.read_text().removeprefix(_HEAD).replace("via -r -", "via the container"))


def main() -> None:
    if sys.argv[1:2] == ["make"]:
        make(sys.argv[2:])
    found = problems(LOCK.read_text(), json.loads(ADVISORIES.read_text()))
    sys.exit("\n".join(found) or None)


if __name__ == "__main__":
    main()
