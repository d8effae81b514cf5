"""The kind "grounding": boxes, points, counts, referring expressions, regions, absent objects.

Questions use the official wordings (`outputs.prompts`) about half of the time, answers the canonical forms of
`outputs`: JSON, plain text, and XML points. Truth is in pixels of the picture.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from viewfinder.data.sample import Sample
from viewfinder.data.synth.choose import chance, pick, weighted
from viewfinder.data.synth.collage import Collage, Placed, make_collage
from viewfinder.data.synth.exchange import Exchange, converse
from viewfinder.data.synth.kinds import Options
from viewfinder.data.synth.shapes import PixelRectangle
from viewfinder.media.transform import Transform
from viewfinder.outputs import prompts
from viewfinder.outputs.boxes import Box, format_boxes
from viewfinder.outputs.counts import format_count
from viewfinder.outputs.points import Point, format_points

PLAIN_SYSTEM = (
    "As an AI assistant, you specialize in accurate image object detection, delivering coordinates in plain text "
    "format 'x1,y1,x2,y2 object'."
)


def plural(name: str) -> str:
    """The regular English plural; `cut of meat` becomes `cuts of meat`, `peanuts` stays."""
    head, of, rest = name.partition(" of ")
    if of:
        return f"{plural(head)} of {rest}"
    if name.endswith("s") and not name.endswith(("ss", "us")):
        return name
    if name.endswith("y") and name[-2:-1] not in ("a", "e", "i", "o", "u"):
        return f"{name[:-1]}ies"
    return f"{name}es" if name.endswith(("s", "x", "ch", "sh")) else f"{name}s"


def article(name: str) -> str:
    return f"an {name}" if name[0] in "aeiou" else f"a {name}"


def make(rng: np.random.Generator, options: Options) -> Sample:
    """A picture and one to three exchanges about it."""
    return converse_about(rng, make_collage(rng, options))


def converse_about(rng: np.random.Generator, collage: Collage) -> Sample:
    """One to three exchanges about a picture."""
    first = ask(rng, collage)
    exchanges = [first]
    while not first.system and len(exchanges) < 3 and chance(rng, 0.4):
        another = ask(rng, collage)
        if not another.system and all(another.question != one.question for one in exchanges):
            exchanges.append(another)
    return as_sample(exchanges, collage)


def ask(rng: np.random.Generator, collage: Collage) -> Exchange:
    """One exchange of a task that fits the picture."""
    generator = weighted(rng, _WEIGHTS if collage.objects else {_absent: 1.0})
    return generator(rng, collage) or _absent(rng, collage)


def as_sample(exchanges: list[Exchange], collage: Collage) -> Sample:
    """A conversation about the picture, with its licenses and drawing styles."""
    return converse(
        exchanges,
        collage.image,
        license=" AND ".join(sorted(set(collage.licenses))),
        lineage=tuple(f"objects.{style}" for style in collage.styles),
    )


def _frame(collage: Collage) -> Transform:
    return Transform.identity(collage.image.size)


def _boxes(objects: tuple[Placed, ...], label: str = "") -> list[Box]:
    return [Box(*map(float, one.box), label=label or one.name) for one in objects]


def _truth(objects: tuple[Placed, ...]) -> dict[str, Any]:
    return {"boxes": [list(one.box) for one in objects], "labels": [one.name for one in objects]}


def _subject(rng: np.random.Generator, collage: Collage) -> tuple[str, tuple[Placed, ...], str]:
    """A name in the picture, what has it, and the phrase that asks for all of it."""
    name = pick(rng, collage.names)
    objects = collage.named(name)
    phrase = (
        f"the {name}"
        if len(objects) == 1 and chance(rng, 0.6)
        else pick(rng, (f"every {name}", f"all {plural(name)}", name))
    )
    return name, objects, phrase


def _locate(rng: np.random.Generator, collage: Collage) -> Exchange:
    _, objects, phrase = _subject(rng, collage)
    return _located(rng, collage, phrase, objects)


def _located(rng: np.random.Generator, collage: Collage, phrase: str, objects: tuple[Placed, ...]) -> Exchange:
    asked = prompts.with_determiner(phrase)
    question = pick(
        rng,
        (
            *[prompts.locate_prompt(phrase)] * 3,
            f"Outline the position of {asked} and output all the coordinates in JSON format.",
            f"Locate {asked}, report the bbox coordinates in JSON format.",
            f"Where is {asked}?" if asked.startswith("the ") else f"Find {asked}.",
        ),
    )
    return Exchange("locate", question, format_boxes(_boxes(objects), _frame(collage)), "boxes", truth=_truth(objects))


def _locate_plain(rng: np.random.Generator, collage: Collage) -> Exchange:
    _, objects, phrase = _subject(rng, collage)
    answer = "\n".join(f"{','.join(map(str, one.box))} {one.name}" for one in objects)
    return Exchange("locate", f"Detect {phrase}.", answer, "plain boxes", truth=_truth(objects), system=PLAIN_SYSTEM)


def _absent(rng: np.random.Generator, collage: Collage) -> Exchange:
    """Asked for what is not there: the answer is none."""
    name = pick(rng, collage.absent or ("unicorn",))
    if chance(rng, 0.3):
        return Exchange("exists", f"Is there {article(name)} in the image?", "No", truth={"answer": "No"})
    if chance(rng, 0.3):
        answer = f"{format_boxes([], _frame(collage))}\n\nThere are 0 {plural(name)} in the image."
        return Exchange("count", prompts.count_prompt(plural(name)), answer, "points", truth={"count": 0, "boxes": []})
    return _located(rng, collage, pick(rng, (f"every {name}", f"the {name}", plural(name))), ())


def _point(rng: np.random.Generator, collage: Collage) -> Exchange:
    _, objects, phrase = _subject(rng, collage)
    points = [Point(*one.inside, label=one.name) for one in objects]
    truth = _truth(objects)
    if chance(rng, 0.3):
        asked = prompts.with_determiner(phrase)
        question = f"point to {asked}, output its coordinates in XML format <points x y>object</points>"
        return Exchange(
            "point", question, format_points(points, _frame(collage), style="xml"), "points xml", truth=truth
        )
    return Exchange(
        "point", prompts.point_prompt(phrase), format_points(points, _frame(collage)), "points", truth=truth
    )


def _count(rng: np.random.Generator, collage: Collage) -> Exchange:
    name, objects, _ = _subject(rng, collage)
    noun = name if len(objects) == 1 else plural(name)
    truth = {"count": len(objects), **_truth(objects)}
    if chance(rng, 0.25):
        return Exchange("count", f"How many {plural(name)} are there?", str(len(objects)), truth=truth)
    points = [Point(*one.inside, label=one.name) for one in objects]
    return Exchange(
        "count", prompts.count_prompt(plural(name)), format_count(points, noun, _frame(collage)), "points", truth=truth
    )


def _everything(rng: np.random.Generator, collage: Collage) -> Exchange:
    objects, frame = collage.objects, _frame(collage)
    if chance(rng, 0.5):
        question = (
            "Please first output bbox coordinates and names of every item in this image in JSON format, and then "
            "answer how many items are there in the image."
        )
        answer = format_count(_boxes(objects), "item" if len(objects) == 1 else "items", frame)
        return Exchange("count", question, answer, "boxes", truth={"count": len(objects), **_truth(objects)})
    question = prompts.locate_prompt("every object")
    return Exchange("detect", question, format_boxes(_boxes(objects), frame), "boxes", truth=_truth(objects))


def _refer(rng: np.random.Generator, collage: Collage) -> Exchange | None:
    """One among several: by side, size, order, or a neighbour."""
    several = [name for name in collage.names if len(collage.named(name)) > 1]
    unique = [name for name in collage.names if len(collage.named(name)) == 1]
    if several and (chance(rng, 0.7) or len(unique) < 2):
        name = pick(rng, several)
        phrase, thing = _extreme(rng, name, collage.named(name))
    elif len(unique) >= 2:
        found = _beside(collage, *(collage.named(name)[0] for name in unique[:2]))
        if found is None:
            return None
        phrase, thing = found
    else:
        return None
    if thing is None:
        return None
    return _located(rng, collage, phrase, (thing,))


def _extreme(rng: np.random.Generator, name: str, objects: tuple[Placed, ...]) -> tuple[str, Placed | None]:
    word, key = pick(
        rng,
        (
            ("leftmost", lambda o: o.box[0]),
            ("rightmost", lambda o: -o.box[2]),
            ("topmost", lambda o: o.box[1]),
            ("lowest", lambda o: -o.box[3]),
            ("largest", lambda o: -o.area),
            ("smallest", lambda o: o.area),
        ),
    )
    order = sorted(objects, key=key)
    first, second = key(order[0]), key(order[1])
    clear = abs(first - second) >= (0.25 * max(abs(first), 1) if word in ("largest", "smallest") else 4)
    return f"the {word} {name}", order[0] if clear else None


def _beside(collage: Collage, thing: Placed, other: Placed) -> tuple[str, Placed] | None:
    """`the cup left of the dog`: true when all of one lies beyond all of the other."""
    found = sides(thing.box, other.box)
    if not found:
        return None
    alone = all(o is thing or not _same_side(found[0], o, other) for o in collage.objects if o is not other)
    return f"the {'object' if alone else thing.name} {found[0]} the {other.name}", thing


def sides(a: PixelRectangle, b: PixelRectangle) -> list[str]:
    """Where `a` stands from `b`, as far as all of one lies beyond all of the other."""
    rules = (
        ("to the left of", a[2] <= b[0]),
        ("to the right of", a[0] >= b[2]),
        ("above", a[3] <= b[1]),
        ("below", a[1] >= b[3]),
    )
    return [word for word, holds in rules if holds]


def _same_side(word: str, thing: Placed, other: Placed) -> bool:
    center, limit = thing.center, other.center
    return {
        "to the left of": center[0] < limit[0],
        "to the right of": center[0] > limit[0],
        "above": center[1] < limit[1],
        "below": center[1] > limit[1],
    }[word]


def _region(rng: np.random.Generator, collage: Collage) -> Exchange:
    """The other way round: what is inside a given box."""
    thing = pick(rng, collage.objects)
    question = f"What is in the region [{', '.join(map(str, thing.box))}]?"
    return Exchange("region", question, thing.name, question_form="inline", truth={"answer": thing.name})


def _exists(rng: np.random.Generator, collage: Collage) -> Exchange:
    name = pick(rng, collage.names)
    return Exchange("exists", f"Is there {article(name)} in the image?", "Yes", truth={"answer": "Yes"})


def _describe(rng: np.random.Generator, collage: Collage) -> Exchange:
    counted = [(name, len(collage.named(name))) for name in collage.names]
    words = [article(name) if count == 1 else f"{count} {plural(name)}" for name, count in counted]
    listed = words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
    question = pick(rng, ("Describe the image.", "What is in the image?", "What can you see?"))
    return Exchange("caption", question, f"The image shows {listed}.", truth={"names": list(collage.names)})


_Ask = Callable[[np.random.Generator, Collage], Exchange | None]
_WEIGHTS: dict[_Ask, float] = {
    _locate: 3.0,
    _locate_plain: 0.7,
    _absent: 1.0,
    _point: 2.0,
    _count: 2.0,
    _everything: 1.5,
    _refer: 2.0,
    _region: 1.0,
    _exists: 0.5,
    _describe: 1.0,
}
