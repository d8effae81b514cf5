#!/usr/bin/env bash
# Question: Qwen2.5-VL, a clip of 20 pairs of frames of 4 x 4 tokens that begins at position 3: the largest time id of the
#           clip, and the position at which text goes on after it, with pairs 1 s and 0.5 s apart, in transformers 4 and 5?
# Guess (of a reader of the report, before reading the code): the same in both. Two positions a second: times go up to
#           3 + 38 and 3 + 19, and text goes on one after the largest position, at 42 and 23.
# Versions: transformers 4.57.1 and 5.24.0, torch 2.13.0.
# Seen:     4.57.1: 41 and 42, then 3 and 7: the 0.5 s are made a whole number, 0, so that all frames have one time.
#           5.24.0: 41 and 7, then 22 and 7: times are right, but text goes on the larger side of a frame after the clip's
#           start, however long the clip is, so that it shares positions with the clip's later frames.
#           Pictures, and clips that take fewer positions than their frames are wide, are the same in both, so short tests
#           do not show it. Weights tuned or judged on longer clips in the one see other positions in the other.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
sed -n 's/^# //p' "$0" | sed '/^!/d'
cat > "$folder/positions.py" <<'PY'
import inspect
import json

import torch
import transformers
from transformers import Qwen2_5_VLConfig
from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import Qwen2_5_VLModel

text = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2}
vision = {"depth": 1, "hidden_size": 32, "num_heads": 2, "intermediate_size": 32, "out_hidden_size": 32, "tokens_per_second": 2}
ids = {"video_token_id": 90, "image_token_id": 91, "vision_start_token_id": 92, "vision_end_token_id": 93}
rope = {"rope_type": "default", "type": "default", "mrope_section": [2, 3, 3]}
config = Qwen2_5_VLConfig(text_config={**text, "vocab_size": 100, "rope_scaling": rope}, vision_config=vision, **ids)
model = Qwen2_5_VLModel(config)


def places(seconds: float) -> list[int]:
    """The largest time id of the clip, and the position of the first text token after it."""
    tokens = [1, 2, 92, *[90] * (20 * 16), 93, 3]
    asked = {
        "input_ids": torch.tensor([tokens]),
        "video_grid_thw": torch.tensor([[20, 8, 8]]),
        "second_per_grid_ts": torch.tensor([seconds]),
    }
    if "mm_token_type_ids" in inspect.signature(model.get_rope_index).parameters:
        asked["mm_token_type_ids"] = torch.tensor([[2 if token == 90 else 0 for token in tokens]])
    positions, _ = model.get_rope_index(**asked)
    return [int(positions[0, 0, 3:-2].max()), int(positions[0, 0, -2])]


print(json.dumps({"version": transformers.__version__, "1 s": places(1.0), "0.5 s": places(0.5)}))
PY
for version in 4.57.1 5.24.0; do
  python3 -m venv "$folder/$version"
  "$folder/$version/bin/pip" install -q --no-compile "transformers==$version" torch==2.13.0
  "$folder/$version/bin/python" "$folder/positions.py" 2>/dev/null | tail -1 | tee -a "$folder/seen"
done
python3 - "$folder/seen" <<'PY'
import json, sys
four, five = map(json.loads, open(sys.argv[1]))
assert (four["1 s"], four["0.5 s"]) == ([41, 42], [3, 7]), "behavior changed"
assert (five["1 s"], five["0.5 s"]) == ([41, 7], [22, 7]), "behavior changed"
print("behavior as seen")
PY
