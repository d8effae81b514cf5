"""Where samples come from: generated ones, files of many shapes, and sets that were written before."""
