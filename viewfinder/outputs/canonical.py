"""The one text form of a list of results, shared by training data, grammars and formatters.

It is the official form of the cookbooks: a fenced JSON list, one object per line behind a tab, a space
after each colon and comma, no escapes for letters outside ASCII:

    ```json
    [
    \t{"bbox_2d": [10, 20, 30, 40], "label": "red circle"},
    \t{"bbox_2d": [50, 20, 70, 40], "label": "红色圆"}
    ]
    ```

and, when there is nothing to list, `[]` between the same fences.
"""

import json
from collections.abc import Mapping, Sequence

from viewfinder.outputs.loose_json import JsonValue

OPENING = "```json\n["
CLOSING = "\n```"
EMPTY = f"{OPENING}]{CLOSING}"


def format_object(fields: Mapping[str, JsonValue]) -> str:
    """One object on one line."""
    return json.dumps(fields, ensure_ascii=False)


def format_list(objects: Sequence[Mapping[str, JsonValue]]) -> str:
    """The whole fenced list."""
    if not objects:
        return EMPTY
    return OPENING + "\n\t" + ",\n\t".join(map(format_object, objects)) + "\n]" + CLOSING
