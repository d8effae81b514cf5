"""The report's benchmarks on clips, screens and text, one row each, laid out as in `image_table`."""

from functools import partial

from viewfinder.eval.answer_format import click, span
from viewfinder.eval.multiple_choice import choice_benchmark, choice_rows, letter_right, right_letter
from viewfinder.eval.rows import Rows, benchmark
from viewfinder.eval.scores import inside, mean_over, span_overlap
from viewfinder.eval.task import MediaSettings
from viewfinder.eval.tasks import (
    android_control,
    charades,
    choices,
    humaneval,
    ifeval,
    maths,
    pointing,
    tempcompass,
    video_choice,
)

# fmt: off
_clip_rows = partial(choice_rows, ask=video_choice.watched)
_video = partial(choice_benchmark, family="video", max_new_tokens=64)
_written = partial(benchmark, settings=MediaSettings(), family="text")

CLIPS = (
    *(_video(
        name, title, reported, "lmms-lab/Video-MME", "videomme/*.parquet *.zip", "",
        partial(video_choice.videomme, subtitles=subtitles), cluster="video")
      for name, title, reported, subtitles in (
        ("videomme", "Video-MME without subtitles", (73.3, 65.1, 61.5), False),
        ("videomme_subtitles", "Video-MME with subtitles", (79.1, 71.6, 67.6), True))),
    _video(
        "mvbench", "MVBench", (70.4, 69.6, 67.0), "OpenGVLab/MVBench", "json/*.json video/*.zip", "MIT",
        video_choice.mvbench, total=mean_over("task", shown=False)),
    _video(
        "longvideobench", "LongVideoBench (val)", (60.7, 56.0, 54.2), "longvideobench/LongVideoBench",
        "lvb_val.json videos*", "CC-BY-NC-SA-4.0",
        _clip_rows("lvb_val.json", "id video_path question candidates duration_group correct_choice", id="{id}",
               truth=right_letter("correct_choice"), media=video_choice.clip("{video_path}"), options="candidates",
               tags={"duration": "duration_group", "category": "question_category"})),
    _video(
        "lvbench", "LVBench", (47.3, 45.3, 43.3), "zai-org/LVBench",
        "**/video_info.meta.jsonl video_info.meta.jsonl", "", video_choice.lvbench, cluster="video",
        note="the clips are fetched by the user (the data name them by their video site's ids)"),
    _video(
        "mlvu", "MLVU (M-Avg, dev)", (74.6, 70.2, 68.2), "MLVU/MVLU", "MLVU/json/*.json MLVU/video/**",
        "CC-BY-NC-SA-4.0", video_choice.mlvu, total=mean_over("task", shown=False)),
    _video(
        "egoschema", "EgoSchema (the public subset of 500)", (76.2, 65.0, 64.8), "lmms-lab/egoschema",
        "Subset/*.parquet *.zip", "",
        _clip_rows("Subset/test-*.parquet", "question_idx question video_idx option answer", id="{question_idx}",
               media=video_choice.clip("{video_idx}.mp4"), options=video_choice.bare_options),
        note="the report is on all of it, whose answers are on the organisers' server"),
    _video(
        "perceptiontest", "PerceptionTest (multiple choice, validation)", (73.2, 70.5, 66.9),
        "lmms-lab/PerceptionTest_Val", "mc_question_val/*.parquet *.zip", "CC-BY-4.0",
        _clip_rows("mc_question_val/validation-*.parquet", "video_name question_id question options area answer_id",
               id="{video_name}/{question_id}", truth=right_letter("answer_id"),
               media=video_choice.clip("{video_name}.mp4"), tags={"area": "area", "reasoning": "reasoning"}),
        note="the report is on the test split, whose answers are on the organisers' server"),
    benchmark(
        "tempcompass", "TempCompass (mean of four forms)", (74.8, 71.7, 64.4), "lmms-lab/TempCompass",
        "*/test-*.parquet *.zip", "", tempcompass.questions, tempcompass.FORM, tempcompass.score,
        total=tempcompass.total, cluster="video", judge=tempcompass.judged, family="video", max_new_tokens=128,
        note="captions need --judge, and are left out of the mean without one"),
    benchmark(
        "charades_sta", "Charades-STA (mean IoU)", (50.9, 43.6, 38.8), "lmms-lab/charades_sta",
        "charades_sta_test.txt *.zip", "", charades.questions, span, span_overlap, total=charades.total,
        cluster="video", family="video", max_new_tokens=64),
)
"""Clips: multiple choice, and when something happens."""

_ui = partial(
    benchmark, form=click, score=inside, settings=pointing.SETTINGS, max_new_tokens=256, family="screen",
    note="the 7B and 3B numbers are the model repository's, not the report's")

SCREENS = (
    _ui("screenspot", "ScreenSpot", (87.1, 84.7, 55.5), "rootsautomation/ScreenSpot", "data/test-*.parquet",
        "Apache-2.0", pointing.screenspot),
    _ui("screenspot_pro", "ScreenSpot-Pro", (43.6, 29.0, 23.9), "likaixin/ScreenSpot-Pro",
        "annotations/*.json images/**", "MIT", pointing.screenspot_pro),
    *(benchmark(
        f"android_control_{level}", f"AndroidControl, {level} level (exact match)", reported,
        "google-research/android_control", "android_control* splits.json", "Apache-2.0",
        partial(android_control.questions, level=level), android_control.FORM, android_control.score, cluster="episode",
        settings=pointing.SETTINGS, max_new_tokens=256, family="screen",
        note="the official files lie in a public bucket, not on the hub: download them and name the folder with --data")
      for level, reported in (("high", (67.36, 60.1, 63.7)), ("low", (93.7, 91.4, 90.8)))),
)
"""Where to click, and what to do on a phone."""

WORDS = (
    _written(
        "mmlu_pro", "MMLU-Pro (5-shot)", (71.2,), "TIGER-Lab/MMLU-Pro", "data/*.parquet", "MIT", choices.mmlu_pro,
        choices.LAST_STATED, letter_right, max_new_tokens=2048),
    _written(
        "gsm8k", "GSM8K", (95.3,), "openai/gsm8k", "", "MIT",
        Rows("main/test-*.parquet", "question answer", f"{{question}}\n{maths.ASK}", maths.gsm8k_truth, media=""),
        maths.VALUE, maths.value_score, max_new_tokens=1024),
    _written(
        "math", "MATH", (83.0,), "HuggingFaceH4/MATH-500", "test.jsonl", "MIT",
        Rows("test.jsonl test/**/*.json data/test-*.parquet", "problem solution", f"{{problem}}\n{maths.ASK}",
             maths.math_truth, lambda row: str(row.get("unique_id", row["i"])), media="",
             tags={"level": lambda row: str(row.get("level", "")),
                   "subject": lambda row: str(row.get("subject") or row.get("type") or "")}),
        maths.VALUE, maths.value_score, max_new_tokens=2048,
        note="the hub set is the 500 of PRM800K; with --data the 5,000 of the original folder are read"),
    _written(
        "humaneval", "HumanEval (pass@1)", (87.8,), "openai/openai_humaneval", "openai_humaneval/test-*.parquet", "MIT",
        Rows("openai_humaneval/test-*.parquet HumanEval.jsonl", "task_id prompt test entry_point canonical_solution",
             humaneval.ASK, humaneval.truth_of, "{task_id}", media=""),
        humaneval.FORM, humaneval.score, max_new_tokens=1024, note="code runs in a limited process of its own"),
    _written(
        "ifeval", "IFEval (strict, prompts)", (86.3,), "google/IFEval", "", "Apache-2.0",
        Rows("ifeval_input_data.jsonl", "key prompt instruction_id_list kwargs", "{prompt}", ifeval.truth_of, "{key}",
             media=""),
        ifeval.FORM, ifeval.score, total=ifeval.total, max_new_tokens=1280,
        note="sentences are split by punctuation (the authors use NLTK), languages told by script and common words "
        "(the authors use langdetect)"),
)
"""Without pictures."""
# fmt: on
