"""Training. Read in this order: `config`, `collators` and `dataloader`, `trainer`, `learner`, `losses`, `checkpoint`.

`extra_losses` is the extension point. `estimate` computes what a run will take before it is started.
"""
