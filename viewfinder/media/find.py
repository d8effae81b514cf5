"""Which files a command means: pictures below folders, pages of PDFs by name, and names for what is made of each."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from viewfinder.errors import MediaError
from viewfinder.media.image import IMAGE_SUFFIXES


def find_images(sources: Sequence[str], suffixes: Iterable[str] = IMAGE_SUFFIXES) -> list[str]:
    """Files named, and all pictures below folders named, in order of name.

    Raises:
        MediaError: a folder without pictures.
    """
    suffixes = frozenset(suffixes)
    files: list[str] = []
    for source in sources:
        folder = Path(source)
        if folder.is_dir():
            inside = sorted(str(p) for p in folder.rglob("*") if p.suffix.lower() in suffixes and p.name[0] != ".")
            if not inside:
                raise MediaError(f"{source} holds no pictures ({', '.join(sorted(suffixes))}); name another folder")
            files += inside
        else:
            files.append(source)
    return list(dict.fromkeys(files))


def split_page(name: str) -> tuple[str, int | None]:
    """`paper.pdf#page=3` as ("paper.pdf", 3); a name without a page has None."""
    file, mark, page = name.rpartition("#page=")
    return (file, int(page)) if mark and page.isdecimal() else (name, None)


def file_stems(files: Sequence[str]) -> dict[str, str]:
    """A name for each file's results: its own, with its folders and suffix where two are alike, and its page."""
    names = [Path(split_page(file)[0].split("?")[0]).stem for file in files]
    wholes = [split_page(file)[0] for file in files]
    alike = {name for name in names if len({w for w, n in zip(wholes, names, strict=True) if n == name}) > 1}
    stems: dict[str, str] = {}
    for file, whole, name in zip(files, wholes, names, strict=True):
        page = split_page(file)[1]
        unlike = "_".join(Path(whole).parts).strip("/_").replace("/", "_").replace(":", "")
        stems[file] = (unlike if name in alike else name) + ("" if page is None else f"-page-{page}")
    return stems
