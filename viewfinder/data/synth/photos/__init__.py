"""Real photographs that packages bring along: many on one picture, or as the ground of pasted objects."""
