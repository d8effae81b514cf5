"""Corrections as a server keeps them, without the server; run with FOLDER NAME, it adds five."""

import sys
from pathlib import Path
from typing import Any

from PIL import Image

from viewfinder.media.image import load_image
from viewfinder.serve.samples import SampleBook, SampleRequest
from viewfinder.serve.settings import ServeSettings


class Shown:
    """Stands for the media of a request."""

    def picture(self, image: str) -> Any:
        return load_image(Image.new("RGB", (32, 32), image))


def correct(folder: Path, question: str, book: SampleBook | None = None) -> dict[str, Any]:
    request = SampleRequest(task="ask", images=["red"], question=question, text="yes")
    return (book or SampleBook(folder, ServeSettings())).add(request, Shown())  # type: ignore[arg-type]


if __name__ == "__main__":
    for i in range(5):
        correct(Path(sys.argv[1]), f"{sys.argv[2]}{i}")
