"""The extra losses of the built-in model: what each token shows, where attention looks, which words are meant.

`build` makes them for a config, with the heads that are trained for them and thrown away.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from viewfinder.data.sample import Sample
from viewfinder.data.synth.scene import Scene
from viewfinder.data.synth.shapes import COLOR_NAMES
from viewfinder.inputs import IGNORE_INDEX
from viewfinder.model.layers import multimodal_rope
from viewfinder.model.qwen2_5_vl import Qwen2_5_VL
from viewfinder.processor.processor import Processor
from viewfinder.tiny.attention_loss import (
    PLACE_LABELS,
    THING_LABELS,
    attention_loss,
    attention_targets,
    earlier_labels,
    labelled_tokens,
)
from viewfinder.tiny.label_embeddings import LabelEmbeddings, alignment_loss
from viewfinder.tiny.label_heads import LabelHeads, label_losses
from viewfinder.tiny.reading_loss import reading_loss
from viewfinder.tiny.recorder import LayerRecorder, is_media
from viewfinder.tiny.token_labels import ANSWER_HEADS, KINDS, TEXT_HEADS, TOWER_HEADS, token_labels
from viewfinder.tiny.word_loss import WordHeads, word_loss
from viewfinder.train.config import TrainConfig
from viewfinder.train.extra_losses import ExtraLoss, ExtraLosses, LossTerm, ModelOutputs
from viewfinder.train.learner import head_weight

WORDS = (("kinds", KINDS), ("colors", COLOR_NAMES))


def build(config: TrainConfig, processor: Processor | None) -> ExtraLosses:
    """Heads and losses of a config. The words of `WordHeads` need the processor's tokens."""
    weights, media_input = config.extra_losses, getattr(config, "media_input", "pixels")
    heads = build_heads(config, processor, media_input)
    recorder = LayerRecorder()
    losses: list[ExtraLoss] = []
    if weights.get("feature_alignment"):
        losses.append(FeatureAlignment(heads["symbols"]))
    if weights.get("attention"):
        losses.append(AttentionTargets(recorder))
    if "naming" in heads:
        losses.append(WordTargets(recorder, heads["naming"]))
    on = bool(weights.get("token_labels"))
    losses.append(
        TokenLabelTargets(recorder, {name: heads[name] for name in _LABEL_HEADS}, on, media_input == "pixels")
    )
    return ExtraLosses(tuple(losses), heads, sample_labels)


_LABEL_HEADS = ("tower", "text", "answer")


def build_heads(config: TrainConfig, processor: Processor | None, media_input: str) -> dict[str, nn.Module]:
    """What is thrown away after training, by the names in saved runs."""
    seen, said = config.model.vision.out_hidden_size, config.model.text.hidden_size
    sizes = ((seen, TOWER_HEADS), (said, TEXT_HEADS), (said, ANSWER_HEADS))
    heads: dict[str, nn.Module] = {n: LabelHeads(*size) for n, size in zip(_LABEL_HEADS, sizes, strict=True)}
    if media_input == "labels" or config.extra_losses.get("feature_alignment"):
        heads["symbols"] = LabelEmbeddings(said, TOWER_HEADS)
    if config.extra_losses.get("words") and processor is not None:
        encode = processor.tokenizer.encode
        heads["naming"] = WordHeads(
            {name: [encode(f" {word}") if word else [] for word in words] for name, words in WORDS}
        )
    return heads


def sample_labels(sample: Sample) -> Mapping[str, Any]:
    """Labels of the media tokens of a sample whose truth holds the drawn `scene`; {} of any other."""
    scene = sample.truth.get("scene")
    return token_labels(scene).as_dict() if isinstance(scene, Scene) else {}


@dataclass(frozen=True)
class FeatureAlignment:
    """The distance of the features of the vision tower from the embeddings of the labels."""

    embeddings: nn.Module
    name: str = "feature_alignment"
    labels: tuple[str, ...] = tuple(TOWER_HEADS)

    def recording(self, model: Qwen2_5_VL) -> AbstractContextManager[None]:
        return nullcontext()

    def __call__(self, outputs: ModelOutputs) -> dict[str, LossTerm]:
        if outputs.features is None or not outputs.has(self.labels):
            return {}
        return {self.name: LossTerm(alignment_loss(outputs.features, self.embeddings(outputs.batch.extra_labels)))}


@dataclass(frozen=True)
class _Recorded:
    """A loss that needs inner states of the language model."""

    recorder: LayerRecorder

    def recording(self, model: Qwen2_5_VL) -> AbstractContextManager[None]:
        return self.recorder.recording(model)


@dataclass(frozen=True)
class AttentionTargets(_Recorded):
    """Where the first head of the layer after half of the layers looks."""

    name: str = "attention"
    labels: tuple[str, ...] = PLACE_LABELS

    def __call__(self, outputs: ModelOutputs) -> dict[str, LossTerm]:
        kept = self.recorder.kept
        if not kept or outputs.features is None or not outputs.has(self.labels):
            return {}
        model, inputs = outputs.model, outputs.batch.inputs
        told = earlier_labels(inputs, outputs.batch.extra_labels)
        asked, text = labelled_tokens(told), model.config.text
        targets = attention_targets(inputs, is_media(model, inputs), told, asked)
        rope = multimodal_rope(inputs.position_ids, text.head_dim, text.rope_theta, text.mrope_section)
        return {self.name: LossTerm(*attention_loss(kept["queries"], kept["keys"], rope, asked, *targets))}


@dataclass(frozen=True)
class WordTargets(_Recorded):
    """Words for what stands at each media token, and for what an answer is about to place."""

    heads: nn.Module
    name: str = "words"
    labels: tuple[str, ...] = (*PLACE_LABELS, *THING_LABELS)

    def __call__(self, outputs: ModelOutputs) -> dict[str, LossTerm]:
        kept, inputs = self.recorder.kept, outputs.batch.inputs
        if not kept or outputs.features is None or not outputs.has(self.labels):
            return {self.name: LossTerm(unused(self.heads), report=False)}
        labels = outputs.batch.extra_labels
        told, media = earlier_labels(inputs, labels), is_media(outputs.model, inputs)
        targets = {}
        for seen, asked in THING_LABELS.items():
            targets[seen] = told.get(asked, torch.full_like(inputs.input_ids, IGNORE_INDEX)).clone()
            targets[seen][media] = labels[seen].flatten()
        assert isinstance(self.heads, WordHeads)
        return {self.name: LossTerm(*word_loss(self.heads, kept["middle"], head_weight(outputs.model), targets))}


@dataclass(frozen=True)
class TokenLabelTargets(_Recorded):
    """What each media token shows, asked of the vision tower and half way up the language model; and in answers the
    place and kind of what is said next. Where lines of text are known, the tower is also asked to read them whole.

    Attributes:
        heads: "tower", "text" and "answer".
        on: False keeps the heads without a loss.
        sees_pixels: False where label embeddings stand in for the features: the tower is then not asked.
    """

    heads: Mapping[str, nn.Module]
    on: bool = True
    sees_pixels: bool = True
    name: str = "token_labels"
    labels: tuple[str, ...] = (*TOWER_HEADS, *TEXT_HEADS)

    def __call__(self, outputs: ModelOutputs) -> dict[str, LossTerm]:
        questions = self._questions(outputs) if self.on else {}
        terms: dict[str, LossTerm] = {}
        for head, (states, labels) in questions.items():
            logits = self.heads[head](states)
            for name, (loss, accuracy) in label_losses(logits, labels).items():
                asked = bool((labels[name] != IGNORE_INDEX).any())
                terms[f"{self.name}/{name}"] = LossTerm(loss, accuracy, report=asked)
            if head == "tower" and len(lines := labels.get("lines", ())):
                grid = outputs.batch.inputs.grid_thw
                assert grid is not None
                assert isinstance(lines, Tensor)
                terms[f"{self.name}/reading"] = LossTerm(*reading_loss(logits["characters"], grid, lines))
        for head, module in self.heads.items():
            if head not in questions:
                terms[head] = LossTerm(unused(module), report=False)
        return terms

    def _questions(self, outputs: ModelOutputs) -> dict[str, tuple[Tensor, dict[str, Tensor]]]:
        """By head, the states it is asked about and the labels."""
        labels, kept, found = outputs.batch.extra_labels, self.recorder.kept, {}
        if outputs.features is None or not outputs.has(self.labels):
            return {}
        if self.sees_pixels:
            found["tower"] = (outputs.features, labels)
        if outputs.hidden is None:
            return found
        found["text"] = (kept["middle"][is_media(outputs.model, outputs.batch.inputs)], labels)
        if outputs.has(ANSWER_HEADS):
            asked = torch.stack([labels[name] for name in ANSWER_HEADS]).ne(IGNORE_INDEX).any(dim=0).nonzero().flatten()
            if len(asked):
                found["answer"] = (kept["after"][asked], {name: labels[name][asked] for name in ANSWER_HEADS})
        return found


def unused(head: nn.Module) -> Tensor:
    """A zero that keeps a head in the graph: sharded weights have gradients on all ranks or on none."""
    return torch.stack([p.sum() for p in head.parameters()]).sum() * 0.0
