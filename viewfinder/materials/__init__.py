"""What is drawn with: one pinned set of fonts and pictures in the package, and what else a machine must have.

`shipped` knows the set, `needs` the programs and packages beyond it, `chromium` how a browser is made to draw with the
set alone. Nothing here draws. `runs/make_materials.py` builds the folder `core`.
"""
