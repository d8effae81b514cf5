"""Metrics as pure functions, one idea per file, each equal to its published definition."""
