"""Nothing of a picture reaches a blindfolded model, but its size and its times."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.eval.making import png, write_clip
from viewfinder.eval.baselines import Blindfold, blanked
from viewfinder.media.image import load_image
from viewfinder.messages import ImagePart, Reply, VideoPart, user


def test_pictures_are_grey_and_as_large() -> None:
    shown = user(ImagePart(image=png("secret", (90, 60)), max_pixels=4000), "What?")
    (message,) = blanked([shown])
    picture = message.parts[0]
    assert isinstance(picture, ImagePart)
    assert np.unique(np.asarray(load_image(picture.image).image)).tolist() == [127]
    assert load_image(picture.image).size == (90, 60)
    assert picture.max_pixels == 4000
    assert message.text == "What?"


def test_frames_are_grey_at_their_times(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (56, 28), "red")] * 4
    (message,) = blanked([user(VideoPart(video=frames, frame_times=(0.0, 1.0, 2.0, 5.0)), "When?")])
    part = message.parts[0]
    assert isinstance(part, VideoPart)
    assert part.frame_times == (0.0, 1.0, 2.0, 5.0)
    assert all(frame.getextrema() == ((127, 127),) * 3 for frame in part.video)
    write_clip(tmp_path / "clip.mp4", 4.0)
    (message,) = blanked([user(VideoPart(video=str(tmp_path / "clip.mp4"), fps=2.0), "When?")])
    part = message.parts[0]
    assert isinstance(part, VideoPart)
    assert len(part.video) == len(part.frame_times or ()) == 8
    assert part.video[0].size == (80, 64)
    assert part.fps is None


def test_the_model_behind_is_asked_with_all_options() -> None:
    class Keeps:
        def chat(self, messages: Any, **options: Any) -> Reply:
            self.got = messages, options
            return Reply(text="seen")

    model: Any = Keeps()
    assert Blindfold(model).chat([user(ImagePart(image=png("x")), "?")], grammar="start: /a/").text == "seen"
    assert model.got[1] == {"grammar": "start: /a/"}
    assert isinstance(model.got[0][0].parts[0].image, Image.Image)
