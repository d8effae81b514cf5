"""Screens of the agent's worlds as kinds: one step of an episode, or one named thing to press."""

import itertools

import numpy as np

from viewfinder.agent.samples import Style, pointing_samples, world_samples
from viewfinder.agent.worlds.words import Split
from viewfinder.data.sample import Sample
from viewfinder.data.synth.kinds import Options

_DEEPEST = 6


def step(rng: np.random.Generator, options: Options) -> Sample:
    """One of the first steps of an episode, or a thing to press on the way."""
    deep, seed = int(rng.integers(_DEEPEST)), int(rng.integers(1 << 31))
    samples = world_samples(deep + 1, seed=seed, split=_split(options), style=_style(options))
    return next(itertools.islice(samples, deep, None))


def pointing(rng: np.random.Generator, options: Options) -> Sample:
    """A thing on a screen by its words, and the press."""
    seed = int(rng.integers(1 << 31))
    return next(pointing_samples(1, seed=seed, split=_split(options), style=_style(options)))


def _split(options: Options) -> Split:
    return "train" if options.split == "train" else "test"


def _style(options: Options) -> Style:
    return Style(sizes=(max(140, options.min_side), max(140, options.max_side)))
