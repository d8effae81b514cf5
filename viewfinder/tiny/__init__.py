"""How the built-in model was trained: its recipes, its data stream, and losses that no other model needs.

Only the command line imports this package.
"""
