"""Clips with several events, seen at any rate, and what is asked of them in seconds and in clock times."""
