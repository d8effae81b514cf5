"""Asking a `ChatModel` for marks, in JSON under a schema, so that any model can be the judge of any filter."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from viewfinder.errors import DataError
from viewfinder.messages import ChatModel, Message, Part, Sampling, TextPart
from viewfinder.outputs.loose_json import find_objects

_BEST = 5


def marks(judge: ChatModel, shown: Sequence[Part], question: str, criteria: Mapping[str, str]) -> dict[str, float]:
    """Marks from 0 to 1 for each criterion.

    Args:
        shown: what is judged, with its pictures.
        question: what the judge is to do.
        criteria: name and meaning of each mark.

    Raises:
        DataError: the answer holds no marks.
    """
    meaning = "\n".join(f"- {name}: {said}" for name, said in criteria.items())
    ask = f"{question}\nGive a whole number from 0 (worst) to {_BEST} (best) for each, as JSON:\n{meaning}"
    mark = {"type": "integer", "minimum": 0, "maximum": _BEST}
    answer = _ask(judge, shown, ask, dict.fromkeys(criteria, mark))
    try:
        return {name: min(_BEST, max(0, float(answer[name]))) / _BEST for name in criteria}
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"the judge gave no marks ({json.dumps(answer)[:120]}); use a model that follows JSON"
        ) from error


def choice(judge: ChatModel, shown: Sequence[Part], question: str, options: Sequence[str]) -> str:
    """The one option that the judge chooses.

    Raises:
        DataError: it chose none of them.
    """
    ask = f"{question}\nChoose one of: {', '.join(options)}. Answer as JSON with the key choice."
    answer = _ask(judge, shown, ask, {"choice": {"type": "string", "enum": list(options)}})
    if answer.get("choice") not in options:
        raise DataError(f"the judge chose {answer.get('choice')!r}, which is none of {', '.join(options)}")
    return str(answer["choice"])


def _ask(judge: ChatModel, shown: Sequence[Part], ask: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    schema = {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }
    message = Message(role="user", parts=(*shown, TextPart(text=ask)))
    reply = judge.chat([message], schema=schema, sampling=Sampling(max_new_tokens=256))
    found = find_objects(reply.text)
    return dict(found[-1].fields) if found else {}


def conversation_parts(messages: Sequence[Message]) -> list[Part]:
    """A conversation as something to be judged: its turns named, pictures in their places."""
    parts: list[Part] = []
    for message in messages:
        parts.append(TextPart(text=f"[{message.role}] "))
        parts += message.parts
        parts.append(TextPart(text="\n"))
    return parts
