"""6. Pictures unlike those of training: how far boxes and words drop, and what 200 samples bring back."""

import random
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np
from PIL import Image, ImageFilter, ImageOps

from viewfinder.eval.answer_format import text
from viewfinder.eval.builtin import all_builtin
from viewfinder.eval.builtin.reading import read_latin
from viewfinder.studies.lab import Change, Lab, on_pictures
from viewfinder.studies.study import Findings, Panel, Record, Series, Setting, Study, over_seeds, percent
from viewfinder.studies.tuning import rows, scores, tuned

COUNT, TAUGHT, STEPS, SEEDS = 20, 200, 60, (1, 2, 3)


def scan(image: Image.Image, rng: random.Random) -> Image.Image:
    """As from a cheap scanner: a little blurred, lit from one side, grainy, on gray paper."""
    pixels = np.asarray(image.filter(ImageFilter.GaussianBlur(0.6)).convert("L"), np.float64)
    light = np.linspace(rng.uniform(0.7, 0.9), 1.0, image.width)[None, :]
    grain = np.random.default_rng(rng.getrandbits(32)).normal(0, 9, pixels.shape)
    return Image.fromarray(np.clip((pixels * 0.85 + 25) * light + grain, 0, 255).astype(np.uint8)).convert("RGB")


def fax(image: Image.Image, rng: random.Random) -> Image.Image:
    """Black or white only."""
    return image.convert("L").point([255 * (v > 140) for v in range(256)]).convert("RGB")


def slanted(image: Image.Image, rng: random.Random) -> Image.Image:
    """Sheared, as italic handwriting is; places do not stay, so it is read only."""
    shear = rng.choice((-0.25, 0.25))
    fill = tuple(image.getpixel((0, 0)))  # type: ignore[arg-type]
    return image.transform(
        image.size,
        Image.Transform.AFFINE,
        (1, shear, -shear * image.height / 2, 0, 1, 0),
        Image.Resampling.BICUBIC,
        fillcolor=fill,
    )


def dark(image: Image.Image, rng: random.Random) -> Image.Image:
    return ImageOps.invert(image.convert("RGB"))


SHIFTS: Mapping[str, Callable[[Image.Image, random.Random], Image.Image] | None] = {
    "as trained": None,
    "scan": scan,
    "fax": fax,
    "slanted": slanted,
    "dark": dark,
}


def settings(smoke: bool) -> Sequence[Setting]:
    found = [{"name": name, "shift": name, "after": False} for name in (*SHIFTS, "other renderers")]
    after = [
        {"name": f"{shift} after {TAUGHT} dark samples, seed {seed}", "shift": shift, "after": True, "seed": seed}
        for seed in SEEDS
        for shift in ("dark", "as trained")
    ]
    return [found[1]] if smoke else [*found, *after]


def shifted(name: str) -> Change | None:
    worse = SHIFTS.get(name)
    return None if worse is None else on_pictures(worse)


def measure(lab: Lab, setting: Setting) -> Mapping[str, Any]:
    if setting["after"] and not lab.train:
        return {}
    every, change = all_builtin(), shifted(setting["shift"])
    tasks = {"errors": (every["builtin_read_latin"], change)}
    if setting["shift"] == "other renderers":
        tasks = {"place": (every["builtin_renderer_locate"], None)}
    elif setting["shift"] in ("as trained", "scan"):
        tasks["place"] = (every["builtin_locate"], change)
    model = None
    if setting["after"]:
        seed = setting["seed"]
        taught = list(islice(rows(read_latin, text, shifted("dark"), seed), TAUGHT))
        model = tuned(lab, f"dark, seed {seed}", taught, STEPS, seed=seed)
    return scores(lab, model, tasks, lab.count(COUNT), setting["name"])


def find(records: Sequence[Record]) -> Findings:
    read = [r for r in records if "errors" in r]
    placed = [r for r in records if "place" in r]
    before = [r for r in read if not r["after"]]
    plain = before[0]
    worst = max(before, key=lambda r: r["errors"][0])
    after = {shift: [r for r in read if r["after"] and r["shift"] == shift] for shift in ("dark", "as trained")}
    again = {
        f"{shift} after {TAUGHT} dark samples": over_seeds(rows, "errors") for shift, rows in after.items() if rows
    }
    there = "; ".join(f"{r['name']} {percent(r['place'])}" for r in placed if not r["after"])
    told = "Recovery was not trained in this run (give --train)."
    if again:
        dark, trained = again.values()
        told = (
            f"After {TAUGHT} samples of dark pages and {STEPS} steps these have {percent(dark)} % wrong characters, "
            f"and pages as trained {percent(trained)} % (mean, least and most of {len(after['dark'])} seeds)."
        )
    answer = (
        f"Wrong characters go from {percent(plain['errors'])} % on pages as trained to {percent(worst['errors'])} % "
        f"({worst['name']}), and right boxes are, in percent: {there or 'not asked'}. {told}"
    )
    errors = {**{r["name"]: r["errors"] for r in before}, **again}
    places = {r["name"]: r["place"] for r in placed if not r["after"]}
    if after["as trained"]:
        places[list(again)[-1]] = over_seeds(after["as trained"], "place")
    rows_ = [
        [r["name"], percent(r["errors"]) if "errors" in r else "", percent(r["place"]) if "place" in r else ""]
        for r in records
        if not r["after"] and ("errors" in r or "place" in r)
    ] + [[name, percent(wrong), percent(places[name]) if name in places else ""] for name, wrong in again.items()]
    return Findings(
        answer,
        [
            Panel(
                "Reading",
                "",
                "characters wrong, %",
                [Series("characters", list(errors), list(errors.values()))],
                "bars",
            ),
            Panel(
                "Placing",
                "",
                "boxes right, %",
                [Series("boxes", list(places), list(places.values()))],
                "bars",
                top=105,
            ),
        ],
        ["pictures", "characters wrong, %", "boxes right, %"],
        rows_,
        [
            (
                "Shifts are drawn: a scan is blur, light and grain, not augraphy's models of paper; medical charts and "
                "legal pages were not made."
            ),
            "The samples are of the very shift that is measured.",
        ],
        "",
    )


STUDY = Study(
    6,
    "shift",
    "Pictures unlike those of training",
    "how much is lost on scans, other renderers and styles, and how few samples bring it back.",
    settings,
    measure,
    find,
)
