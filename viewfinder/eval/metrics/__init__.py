"""Metrics as pure functions, one idea per file, each equal to its published definition."""

from viewfinder.eval.metrics.answers import anls as anls
from viewfinder.eval.metrics.answers import contains_answer as contains_answer
from viewfinder.eval.metrics.answers import exact_count as exact_count
from viewfinder.eval.metrics.answers import relaxed_accuracy as relaxed_accuracy
from viewfinder.eval.metrics.answers import vqa_score as vqa_score
from viewfinder.eval.metrics.choices import choice_letter as choice_letter
from viewfinder.eval.metrics.choices import yes_or_no as yes_or_no
from viewfinder.eval.metrics.edit_distance import edit_distance as edit_distance
from viewfinder.eval.metrics.edit_distance import normalized_edit_distance as normalized_edit_distance
from viewfinder.eval.metrics.pages import formula_distance as formula_distance
from viewfinder.eval.metrics.pages import page_edit_distance as page_edit_distance
from viewfinder.eval.metrics.pages import reading_order_distance as reading_order_distance
from viewfinder.eval.metrics.pages import text_distance as text_distance
from viewfinder.eval.metrics.reading import bag_of_tokens_f1 as bag_of_tokens_f1
from viewfinder.eval.metrics.reading import character_error_rate as character_error_rate
from viewfinder.eval.metrics.reading import field_f1 as field_f1
from viewfinder.eval.metrics.regions import F1 as F1
from viewfinder.eval.metrics.regions import box_accuracy as box_accuracy
from viewfinder.eval.metrics.regions import box_f1 as box_f1
from viewfinder.eval.metrics.regions import iou as iou
from viewfinder.eval.metrics.regions import point_in_box as point_in_box
from viewfinder.eval.metrics.regions import temporal_iou as temporal_iou
from viewfinder.eval.metrics.teds import teds as teds
from viewfinder.eval.metrics.teds import teds_structure as teds_structure
