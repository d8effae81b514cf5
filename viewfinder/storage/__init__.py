"""Files that survive a stop: written whole or not at all, checked when read, by one process at a time."""
