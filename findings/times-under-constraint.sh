#!/usr/bin/env bash
# Question: a pydantic class has a field of type datetime.time (or datetime.datetime), and a model is held to its JSON schema while it reads
#           a receipt of 17:07. What may it answer, and what does the class make of that?
# Guess:    "17:07" or "17:07:00", a time without a zone, since that is what the class reads and what is written; at least the
#           same with every library.
# Versions: pydantic 2.14.4, llguidance 1.9.1, outlines-core 0.2.14, lm-format-enforcer 0.11.3.
# Seen:     pydantic itself reads 17:07, 17:07:00, 17:07:00Z and 17:07:00+01:00, but its schema says {"format": "time"}, which is RFC 3339's.
#           llguidance lets a model write only what has seconds and a zone: it must invent both, and the value is 17:07 UTC,
#           which Python refuses to compare with a time that has none (TypeError). outlines-core wants the seconds, allows Z and
#           none and no other zone; of its fractions a time has to write a backslash before the point, which is no JSON. lm-format-enforcer
#           does not look at the format: "abc" passes, and the class refuses it. The same for datetime.datetime, of which none but
#           the last may be written with a space or without seconds.
#           The same class so gives an aware, a naive or no value, by the library that a server happens to have. A pattern in
#           place of the format (^(...)$) makes them agree.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q pydantic==2.14.4 outlines-core==0.2.14 lm-format-enforcer==0.11.3 llguidance==1.9.1 numpy==2.4.0
sed -n 's/^# //p' "$0" | sed '/^!/d'
"$folder/venv/bin/python" - 2> "$folder/log" <<'PY' || { cat "$folder/log"; exit 1; }
import datetime
import json
import re

import pydantic
from llguidance import LLMatcher, LLTokenizer
from lmformatenforcer import JsonSchemaParser
from outlines_core.json_schema import build_regex_from_schema

BYTES = LLTokenizer("byte")


class Receipt(pydantic.BaseModel):
    at: datetime.time


class Visit(pydantic.BaseModel):
    at: datetime.datetime


def guidance(schema, text):
    matcher = LLMatcher(BYTES, LLMatcher.grammar_from_json_schema(json.dumps(schema)))
    ids = BYTES.tokenize_str(text)
    return matcher.validate_tokens(ids) == len(ids) and matcher.consume_tokens(ids) and matcher.is_accepting()


def outlines(schema, text):
    return re.fullmatch(build_regex_from_schema(json.dumps(schema)), text) is not None


def enforcer(schema, text):
    parser = JsonSchemaParser(schema)
    for character in text:
        if character not in parser.get_allowed_characters():
            return False
        parser = parser.add_character(character)
    return parser.can_end()


def read(kind, text):
    try:
        value = kind.model_validate_json(text).at
    except pydantic.ValidationError:
        return "refused"
    return "no zone" if value.tzinfo is None else "zone " + str(value.utcoffset())


EXPECTED = {
    Receipt: {
        "17:07": ("no zone", "--y"),
        "17:07:00": ("no zone", "-yy"),
        "17:07:00Z": ("zone 0:00:00", "yyy"),
        "17:07:00+01:00": ("zone 1:00:00", "y-y"),
        "17:07:00.5": ("no zone", "--y"),
        "abc": ("refused", "--y"),
    },
    Visit: {
        "2024-01-02T17:07": ("no zone", "--y"),
        "2024-01-02 17:07:00": ("no zone", "--y"),
        "2024-01-02T17:07:00": ("no zone", "-yy"),
        "2024-01-02T17:07:00Z": ("zone 0:00:00", "yyy"),
        "2024-01-02T17:07:00+01:00": ("zone 1:00:00", "y-y"),
    },
}
changed = False
print(f"{'answer':28}{'the class':16}{'llguidance':12}{'outlines-core':15}lm-format-enforcer")
for kind, cases in EXPECTED.items():
    schema = kind.model_json_schema()
    for said, expected in cases.items():
        text = json.dumps({"at": said})
        allowed = "".join("-y"[bool(takes(schema, text))] for takes in (guidance, outlines, enforcer))
        print(f"{said:28}{read(kind, text):16}{allowed[0]:12}{allowed[1]:15}{allowed[2]}")
        changed |= (read(kind, text), allowed) != expected
try:
    datetime.time(17, 7) < Receipt.model_validate_json('{"at": "17:07:00Z"}').at
    changed = True
except TypeError as error:
    print("compared with a time without a zone:", error)
schema = {"type": "object", "properties": {"at": {"type": "string", "pattern": "^([0-9]{2}:[0-9]{2})$"}}, "required": ["at"]}
agreed = [bool(takes(schema, '{"at": "17:07"}')) for takes in (guidance, outlines, enforcer)]
print("17:07 by a pattern:", agreed)
broken = '{"at": "17:07:00\\.5"}'
print("outlines-core lets through", broken, outlines(Receipt.model_json_schema(), broken))
changed |= not outlines(Receipt.model_json_schema(), broken) or read(Receipt, broken) != "refused"
raise SystemExit("the behavior has changed" if changed or not all(agreed) else 0)
PY
