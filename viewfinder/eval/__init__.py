"""Scores: what a model answered against what is true. No torch."""
