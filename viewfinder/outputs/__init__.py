"""Text of the model <-> typed results in pixels and seconds of the original. No torch."""
