#!/usr/bin/env bash
# Question: does `transformers serve` give the text of an answer as the model wrote it, the same whole and streamed?
# Guess:    yes: the text without control tokens, in both; at most the blanks before an end token are taken away.
# Versions: transformers 5.24.0 (the functions of its server that make text of tokens; no weights are needed).
# Seen:     streamed, yes. Whole, white space is cut off both ends, also where max_tokens ended the answer: the first line of
#           code loses its indentation, a "12, " becomes "12,". So the two forms of one answer differ, and equal tokens of two
#           servers come as different texts. It concerns the models whose answers are parsed (Qwen2 to Qwen3-VL, Gemma 4).
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q transformers==5.24.0 tokenizers==0.23.3
sed -n 's/^# //p' "$0" | sed '/^!/d'
"$folder/venv/bin/python" - 2> "$folder/log" <<'PY' || { cat "$folder/log"; exit 1; }
from types import SimpleNamespace

from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast
from transformers.cli.serving.utils import build_response_parser, parse_assistant_message, response_events_to_chunks

SPECIAL = ["<|im_start|>", "<|im_end|>"]
LETTERS = [chr(i) for i in range(32, 127)] + ["\n"]
letters = Tokenizer(models.WordLevel({token: i for i, token in enumerate(SPECIAL + LETTERS)}))
letters.pre_tokenizer = pre_tokenizers.Split("", "isolated")
letters.decoder = decoders.Fuse()
tokenizer = PreTrainedTokenizerFast(tokenizer_object=letters, additional_special_tokens=SPECIAL)
model = SimpleNamespace(config=SimpleNamespace(model_type="qwen2_5_vl"))


def ids(text):
    return tokenizer(text, add_special_tokens=False)["input_ids"]


prompt = ids("<|im_start|>assistant\n")


def whole(text):
    return parse_assistant_message(tokenizer, model, ids(text), prompt)[0]


def streamed(text):
    parser = build_response_parser(tokenizer, model, prompt)
    events = [event for letter in text for event in parser.feed(letter)]
    return "".join(response_events_to_chunks([*events, *parser.finalize()[1]]))


EXPECTED = {
    "    return x\n": "return x",
    "[12, ": "[12,",
    "one two": "one two",
}
for text, cut in EXPECTED.items():
    assert tokenizer.decode(ids(text)) == text
    print(f"written {text!r}, streamed {streamed(text)!r}, whole {whole(text)!r}")
    assert (streamed(text), whole(text)) == (text, cut), text
PY
echo "as seen before"
