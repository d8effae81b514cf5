"""Every benchmark offline, official schema to score, with a perfect, a blind and a guessing model."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.eval.tasks import choice_fixtures as choice
from tests.eval.tasks import document_fixtures as document
from tests.eval.tasks import other_fixtures as other
from tests.eval.tasks import place_fixtures as place
from tests.eval.tasks import video_fixtures as video
from viewfinder.eval.baselines import Baseline
from viewfinder.eval.question import ModelAnswer, sight_of
from viewfinder.eval.runner import RunOptions, Subject, run
from viewfinder.eval.source import Files
from viewfinder.eval.task import Scored
from viewfinder.eval.tasks import all_tasks
from viewfinder.messages import Reply

THIRD, QUARTER = 100 / 3, 25.0

CASES: dict[str, tuple[Callable[[Path], None], float, float | None]] = {
    # name: fixture, what a blind model must get, what a guessing one gets on average (None: little, but not known)
    "mmmu": (choice.mmmu, 25.0, 3 * QUARTER / 4),
    "mmmu_pro": (choice.mmmu_pro, 25.0, 10.0),
    "mathvista": (choice.mathvista, 25.0, 25.2),
    "mathvision": (choice.mathvision, 0.0, THIRD / 2),
    "mmbench_en": (choice.mmbench("MMBench_DEV_EN.tsv"), 0.0, 100 * (1 / 27 + 1 / 4) / 2),
    "mmbench_cn": (choice.mmbench("MMBench_DEV_CN.tsv"), 0.0, 100 * (1 / 27 + 1 / 4) / 2),
    "mmbench_v11_en": (choice.mmbench("MMBench_DEV_EN_V11.tsv"), 0.0, 100 * (1 / 27 + 1 / 4) / 2),
    "mmstar": (choice.mmstar, 25.0, 25.0),
    "realworldqa": (choice.realworldqa, THIRD, 100 * (1 / 3 + 1 / 11 + 1 / 2) / 3),
    "mme_realworld": (choice.mme_realworld, 50.0, 20.0),
    "seedbench2_plus": (choice.seedbench2_plus, 50.0, 25.0),
    "ai2d": (choice.ai2d, 25.0, 25.0),
    "muirbench": (choice.muirbench, 50.0, THIRD),
    "blink": (choice.blink, 50.0, 50.0),
    "hallusionbench": (choice.hallusionbench, 25 / 3, THIRD),
    "textvqa": (document.textvqa, 0.0, 0.0),
    "docvqa": (document.docvqa("DocVQA"), 0.0, 0.0),
    "infovqa": (document.docvqa("InfographicVQA"), 0.0, 0.0),
    "chartqa": (document.chartqa, 0.0, 0.0),
    "charxiv_rq": (document.charxiv, 0.0, 0.0),
    "charxiv_dq": (document.charxiv, 0.0, 0.0),
    "ocrbench": (document.ocrbench, 0.0, 0.0),
    "ocrbench_v2": (document.ocrbench_v2, 0.0, None),
    "cc_ocr": (document.cc_ocr, 0.0, None),
    "vcr_en_hard": (document.vcr, 0.0, 0.0),
    "omnidocbench": (document.omnidocbench, 1.0, None),
    **{
        f"refcoco{k}_{s.lower()}": (place.refcoco(s), 0.0, None) for k, s in (("", "val"), ("", "testA"), ("", "testB"))
    },
    **{f"refcoco+_{s.lower()}": (place.refcoco(s), 0.0, None) for s in ("val", "testA", "testB")},
    **{f"refcocog_{s}": (place.refcoco(s), 0.0, None) for s in ("val", "test")},
    "odinw13": (place.odinw, 0.0, None),
    "pixmo_points": (place.pixmo_points, 0.0, 100 * 2 / 3 * 200 / (56 * 28)),
    "countbench": (place.countbench, 0.0, 10.0),
    "videomme": (video.videomme, 50.0, 25.0),
    "videomme_subtitles": (video.videomme, 50.0, 25.0),
    "mvbench": (video.mvbench, 50.0, 25.0),
    "longvideobench": (video.longvideobench, THIRD, THIRD),
    "lvbench": (video.lvbench, 50.0, 25.0),
    "mlvu": (video.mlvu, 50.0, 25.0),
    "egoschema": (video.egoschema, 50.0, 20.0),
    "perceptiontest": (video.perceptiontest, 50.0, THIRD),
    "tempcompass": (video.tempcompass, THIRD, 50.0),
    "charades_sta": (video.charades, 69.2, None),
    "screenspot": (other.screenspot, 0.0, 9.0),
    "screenspot_pro": (other.screenspot_pro, 0.0, None),
    "android_control_high": (other.android_control, 0.0, None),
    "android_control_low": (other.android_control, 0.0, None),
    "mmlu_pro": (other.mmlu_pro, 50.0, 10.0),
    "gsm8k": (other.gsm8k, 0.0, None),
    "math": (other.math, 0.0, 0.0),
    "humaneval": (other.humaneval, 0.0, 0.0),
    "ifeval": (other.ifeval, 0.0, 0.0),
}

LITTLE = {"charades_sta": 45.0, "omnidocbench": 1.0}
"""Most that guessing may reach where its mean is not known; 12 elsewhere."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Files]:
    made: dict[Callable[[Path], None], Files] = {}

    def files(name: str) -> Files:
        write = CASES[name][0]
        if write not in made:
            made[write] = Files(tmp_path_factory.mktemp(name.replace("+", "p")), name)
            write(made[write].root)
        return made[write]

    return files


def score_of(name: str, kind: str, files: Files) -> float:
    task = all_tasks()[name]
    model = Baseline(kind, task, task.questions(files))
    return run(task, files, Subject(model, kind), RunOptions()).value


def test_every_benchmark_has_a_fixture() -> None:
    assert {name for name, task in all_tasks().items() if task.data is not None} == set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_perfect_model_reaches_the_top(name: str, data: Callable[[str], Files]) -> None:
    task = all_tasks()[name]
    best = 0.0 if task.better == "lower" else 1000.0 if name == "ocrbench" else 100.0
    # Charades' answers are whole tenths of a second; METEOR of equal texts of n words is 1 - 0.5 / n^3, by definition
    tolerance = {"charades_sta": 1.2, "ocrbench_v2": 0.1}.get(name, 1e-6)
    assert score_of(name, "perfect", data(name)) == pytest.approx(best, abs=tolerance)


@pytest.mark.parametrize("name", CASES)
def test_blind_model_gets_what_it_must(name: str, data: Callable[[str], Files]) -> None:
    assert score_of(name, "blind", data(name)) == pytest.approx(CASES[name][1], abs=0.1)


@pytest.mark.parametrize("name", CASES)
def test_guessing_model_is_at_chance(name: str, data: Callable[[str], Files]) -> None:
    """The mean over many seeds, within five standard errors of the known chance."""
    task, files, chance = all_tasks()[name], data(name), CASES[name][2]
    asked = list(task.questions(files))
    repeats = 3 if name == "humaneval" else 400 if chance else 40
    values = []
    for seed in range(repeats):
        rng = random.Random(seed)
        scored = []
        for question in asked:
            sight = sight_of(question)
            said = task.form.read(ModelAnswer(Reply(text=task.form.guess(question, sight, rng)), sight), question)
            value = task.score(said, question)
            scored.append(Scored(question.id, value, said, question.truth, question.tags))
        values.append(task.total(scored)["score"])
    mean = sum(values) / repeats
    if chance is None:
        assert mean <= LITTLE.get(name, 12.0)
        return
    spread = (sum((v - mean) ** 2 for v in values) / repeats) ** 0.5
    assert abs(mean - chance) <= 5 * spread / repeats**0.5 + 1e-9
