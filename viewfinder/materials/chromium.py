"""The browser program, and how it is made to see the shipped fonts alone, whatever the system has."""

import os
import shutil
import sys
from pathlib import Path
from xml.sax.saxutils import escape

from viewfinder.materials.shipped import FONT_FOLDER, read_manifest

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_GENERIC = {
    "sans-serif": "DejaVu Sans",
    "system-ui": "DejaVu Sans",
    "serif": "DejaVu Serif",
    "monospace": "DejaVu Sans Mono",
    "Arial": "Arimo",
    "Helvetica": "Arimo",
    "Liberation Sans": "Arimo",
    "Times New Roman": "Tinos",
    "Courier New": "Cousine",
}


def find_program() -> str | None:
    """Chromium or Chrome on the path, else the one that Playwright downloaded; None where there is neither."""
    on_path = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if on_path is not None:
        return on_path
    cache = Path("~/Library/Caches" if sys.platform == "darwin" else "~/.cache").expanduser() / "ms-playwright"
    folder = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or cache)
    names = ("chrome", "headless_shell", "chrome-headless-shell", "Chromium")
    found = (path for name in names for path in folder.glob(f"chromium*/**/{name}") if os.access(path, os.X_OK))
    return next((str(path) for path in found if path.is_file()), None)


def font_environment(folder: Path) -> dict[str, str]:
    """The variables of a browser process that draws with the shipped fonts alone.

    Args:
        folder: of this process; takes the configuration and fontconfig's cache, and may go when the browser has.
    """
    read_manifest()  # checked files only
    aliases = "".join(
        f'<match><test name="family"><string>{asked}</string></test>'
        f'<edit name="family" mode="assign" binding="strong"><string>{given}</string></edit></match>'
        for asked, given in _GENERIC.items()
    )
    settings = "".join(
        f'<edit name="{name}" mode="assign">{value}</edit>'
        for name, value in {
            "antialias": "<bool>true</bool>",
            "hinting": "<bool>true</bool>",
            "autohint": "<bool>false</bool>",
            "hintstyle": "<const>hintslight</const>",
            "rgba": "<const>none</const>",
            "embeddedbitmap": "<bool>false</bool>",
        }.items()
    )
    content = (
        '<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig>'
        f"<dir>{escape(str(FONT_FOLDER))}</dir><cachedir>{escape(str(folder / 'cache'))}</cachedir>"
        f'{aliases}<match target="pattern">{settings}</match><match target="font">{settings}</match></fontconfig>'
    )
    path = folder / "fonts.conf"
    path.write_text(content, encoding="utf-8")
    return {**os.environ, "FONTCONFIG_FILE": str(path)}
