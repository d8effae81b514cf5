"""Questions that need more than finding: several pictures compared, things related to one another, steps of thought."""
