"""ODinW-13: detection in the wild, COCO mAP averaged over thirteen sets.

One category a prompt, as the authors answered in the model's repository; the model gives no scores, so all boxes
have the same. Folders and annotation files are those of mmdetection's `odinw13` configuration.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from viewfinder.eval.metrics import box_f1
from viewfinder.eval.metrics.regions import coco_map
from viewfinder.eval.question import Question
from viewfinder.eval.source import Files, require
from viewfinder.eval.task import Scored
from viewfinder.messages import ImagePart, user

_WITHOUT = "annotations_without_background.json"
SETS: dict[str, str] = {
    "AerialMaritimeDrone": f"AerialMaritimeDrone/large/test/{_WITHOUT}",
    "Aquarium": f"Aquarium/Aquarium Combined.v2-raw-1024.coco/test/{_WITHOUT}",
    "CottontailRabbits": f"CottontailRabbits/test/{_WITHOUT}",
    "EgoHands": f"EgoHands/generic/test/{_WITHOUT}",
    "NorthAmericaMushrooms": f"NorthAmericaMushrooms/North American Mushrooms.v1-416x416.coco/test/{_WITHOUT}",
    "Packages": f"Packages/Raw/test/{_WITHOUT}",
    "PascalVOC": f"PascalVOC/valid/{_WITHOUT}",
    "pistols": "pistols/export/val_annotations_without_background.json",
    "pothole": f"pothole/test/{_WITHOUT}",
    "Raccoon": f"Raccoon/Raccoon.v2-raw.coco/test/{_WITHOUT}",
    "ShellfishOpenImages": f"ShellfishOpenImages/raw/test/{_WITHOUT}",
    "thermalDogsAndPeople": f"thermalDogsAndPeople/test/{_WITHOUT}",
    "VehiclesOpenImages": f"VehiclesOpenImages/416x416/test/{_WITHOUT}",
}


def questions(files: Files) -> Iterator[Question]:
    present = {name: path for name, path in SETS.items() if (files.root / path).is_file()}
    for name, path in (present or SETS).items():
        content: dict[str, Any] = next(files.rows(path))
        require(content, "images", "annotations", "categories")
        folder = (files.root / path).parent
        by_image: dict[int, list[dict[str, Any]]] = {}
        for annotation in content["annotations"]:
            by_image.setdefault(annotation["image_id"], []).append(annotation)
        for image in content["images"]:
            for category in content["categories"]:
                found = [a for a in by_image.get(image["id"], ()) if a["category_id"] == category["id"]]
                corners = [
                    [a["bbox"][0], a["bbox"][1], a["bbox"][0] + a["bbox"][2], a["bbox"][1] + a["bbox"][3]]
                    for a in found
                ]
                ask = f"Locate every {category['name']} in the image and output the coordinates in JSON format."
                yield Question(
                    id=f"{name}/{image['id']}/{category['id']}",
                    messages=(user(ImagePart(image=str(folder / image["file_name"])), ask),),
                    truth={"boxes": corners, "labels": [category["name"]] * len(corners)},
                    tags={"set": name, "category": category["name"], "image": f"{name}/{image['id']}"},
                )


def score(prediction: Any, question: Question) -> float:
    """F1 of this prompt's boxes at a half, whatever their labels; the headline number is mAP."""
    said = [(tuple(b["box"]), "") for b in prediction or ()]
    return box_f1(said, [(tuple(b), "") for b in question.truth["boxes"]]).f1


def total(scored: Sequence[Scored]) -> dict[str, float]:
    """mAP@[.5:.95] of each set and their mean, percent."""
    result: dict[str, float] = {}
    for name in dict.fromkeys(s.tags["set"] for s in scored):
        items = [s for s in scored if s.tags["set"] == name]
        truth = [(s.tags["image"], s.tags["category"], tuple(b)) for s in items for b in s.truth["boxes"]]
        said = [(s.tags["image"], s.tags["category"], tuple(b["box"])) for s in items for b in s.prediction or ()]
        result[name] = 100 * coco_map(truth, said)["mAP"]
    return {"score": sum(result.values()) / len(result) if result else 0.0, **result}
