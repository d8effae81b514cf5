"""Metrics as pure functions, one idea per file, each equal to its published definition."""

from viewfinder.eval.metrics.answers import (
    anls,
    contains_answer,
    exact_count,
    relaxed_accuracy,
    vqa_score,
)
from viewfinder.eval.metrics.choices import choice_letter, yes_or_no
from viewfinder.eval.metrics.edit_distance import edit_distance, normalized_edit_distance
from viewfinder.eval.metrics.pages import (
    formula_distance,
    page_edit_distance,
    reading_order_distance,
    text_distance,
)
from viewfinder.eval.metrics.reading import bag_of_tokens_f1, character_error_rate, field_f1
from viewfinder.eval.metrics.regions import F1, box_accuracy, box_f1, iou, point_in_box, temporal_iou
from viewfinder.eval.metrics.teds import teds, teds_structure

__all__ = [
    "F1",
    "anls",
    "bag_of_tokens_f1",
    "box_accuracy",
    "box_f1",
    "character_error_rate",
    "choice_letter",
    "contains_answer",
    "edit_distance",
    "exact_count",
    "field_f1",
    "formula_distance",
    "iou",
    "normalized_edit_distance",
    "page_edit_distance",
    "point_in_box",
    "reading_order_distance",
    "relaxed_accuracy",
    "teds",
    "teds_structure",
    "temporal_iou",
    "text_distance",
    "vqa_score",
    "yes_or_no",
]
