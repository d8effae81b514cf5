"""Rewards of training with verifiable answers: what a sample's truth is, and what an answer is worth against it."""
