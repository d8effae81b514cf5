#!/usr/bin/env bash
# Question: a JSON Schema asks for a string by `pattern`. Which texts do libraries for constrained decoding then let a model write?
# Guess:    those that the schema allows, or (documented by some) those that the pattern matches as a whole; always JSON, since the
#           quotes are put around whatever the pattern says.
# Versions: outlines-core 0.2.14, lm-format-enforcer 0.11.3, llguidance 1.9.1, jsonschema 4.26.0.
# Seen:     of all texts of up to four of the characters ", a, b:
#           "a|b" (an alternative): outlines-core lets through exactly `"a` and `b"`, neither of which is JSON, and neither of the two
#             strings; the quotes stand inside the alternatives. "^a|b$" likewise; "(a|b)" is right.
#           "^b" (one anchor): outlines-core lets nothing through, since "^" stands behind a quote; with both anchors they are dropped.
#           "b" (none): outlines-core and lm-format-enforcer allow "b" alone; JSON Schema, and llguidance, all that has a b in it.
#           So whoever sends schemas to servers of unknown kind writes ^(...)$ around each pattern; then all agree.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q outlines-core==0.2.14 lm-format-enforcer==0.11.3 llguidance==1.9.1 jsonschema==4.26.0 numpy==2.4.0
sed -n 's/^# //p' "$0" | sed '/^!/d'
"$folder/venv/bin/python" - 2> "$folder/log" <<'PY' || { cat "$folder/log"; exit 1; }
import itertools
import json

import jsonschema
from llguidance import LLMatcher, LLTokenizer
from lmformatenforcer import JsonSchemaParser
from outlines_core import Index, Vocabulary
from outlines_core.json_schema import build_regex_from_schema

CHARACTERS = '"ab'
TEXTS = ["".join(t) for n in range(1, 5) for t in itertools.product(CHARACTERS, repeat=n)]
BYTES = LLTokenizer("byte")


def valid(schema):
    def is_valid(text):
        try:
            return jsonschema.Draft202012Validator(schema).is_valid(json.loads(text))
        except ValueError:
            return False

    return {t for t in TEXTS if is_valid(t)}


def outlines(schema):
    try:
        index = Index(build_regex_from_schema(json.dumps(schema)), Vocabulary(9, {c: [i] for i, c in enumerate(CHARACTERS)}))
    except ValueError as error:
        print("   outlines-core says:", str(error)[:100])
        return set()

    def takes(text):
        state = index.get_initial_state()
        for character in text:
            state = index.get_next_state(state, CHARACTERS.index(character))
            if state is None:
                return False
        return index.is_final_state(state)

    return {t for t in TEXTS if takes(t)}


def enforcer(schema):
    def takes(text):
        parser = JsonSchemaParser(schema)
        for character in text:
            if character not in parser.get_allowed_characters():
                return False
            parser = parser.add_character(character)
        return parser.can_end()

    return {t for t in TEXTS if takes(t)}


def guidance(schema):
    def takes(text):
        matcher = LLMatcher(BYTES, LLMatcher.grammar_from_json_schema(json.dumps(schema)))
        ids = BYTES.tokenize_str(text)
        return matcher.validate_tokens(ids) == len(ids) and matcher.consume_tokens(ids) and matcher.is_accepting()

    return {t for t in TEXTS if takes(t)}


def shown(found):
    return ", ".join(sorted(found)[:6]) + (f" and {len(found) - 6} more" if len(found) > 6 else "") or "nothing"


EXPECTED = {
    "a|b": {'"a', 'b"'},
    "^a|b$": {'"a', 'b"'},
    "^b": set(),
    "b": {'"b"'},
    "^(a|b)$": {'"a"', '"b"'},
}
changed = False
for pattern, seen in EXPECTED.items():
    schema = {"type": "string", "pattern": pattern}
    found = {"JSON Schema": valid(schema), "outlines-core": outlines(schema), "lm-format-enforcer": enforcer(schema)}
    found["llguidance"] = guidance(schema)
    print(pattern)
    for name, texts in found.items():
        print(f"   {name:20}{shown(texts)}")
    changed |= found["outlines-core"] != seen or found["llguidance"] != found["JSON Schema"]
    changed |= pattern == "b" and found["lm-format-enforcer"] != {'"b"'}
raise SystemExit("the behavior has changed" if changed else 0)
PY
