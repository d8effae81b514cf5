"""What samples pass on their way into a set: measures, cleaning, scores, duplicates, contamination, sampling."""
