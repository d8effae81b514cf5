"""Charts of known values: their tables, questions about them, and several ways of drawing them."""
