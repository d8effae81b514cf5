"""A row of named fields as a sample: the one reader of conversation files, parquet, WebDatasets and folders.

What is said is in one of these layouts; media are in `row_media`, turns and answers in `turns`:

    conversations, or messages              ShareGPT, LLaVA, Qwen, LLaMA-Factory, ms-swift, OpenAI
    prompt (turns or words), completion     TRL
    instruction, input, output, history     Alpaca; also query and response, question, options and answer
    caption, text, txt, description         of a picture; one, or {"en": ..., "de": ...}

with `system`, and for preference pairs `chosen`, `rejected` (`rejected_response`, `rejected_messages`) and
`rejected_image(s)`, `rejected_video(s)` where the worse answer is about other media. Every key is read or refused.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from viewfinder.data.place_marks import find_places, may_place, refuse_unmarked
from viewfinder.data.sample import Sample, say
from viewfinder.data.sources.keys import Keys, listed, show
from viewfinder.data.sources.objects import Objects, read_objects, refuse_marks
from viewfinder.data.sources.row_media import RowMedia
from viewfinder.data.sources.turns import lettered, read_answer, read_turns
from viewfinder.errors import DataError
from viewfinder.media.image import load_image
from viewfinder.messages import ImagePart, Message, TextPart

CAPTIONS = ("caption", "text", "txt", "description")
DESCRIBE = "Describe this image."
_LANGUAGE = re.compile(r"(?:[a-z]{2,3}(?:[-_@][A-Za-z]+)*|C|x-default)\Z")
_Turns = tuple[Message, ...]
_ANY = (1_000_000, 1_000_000)
"""A picture that any place lies in."""


@dataclass(frozen=True)
class RowReader:
    """How the rows of one file are read.

    Attributes:
        media: folder of relative paths; None where rows carry their bytes.
        coordinates: "original" or "model": which pixels places in turns are in.
        task: of every conversation without one of its own.
        prompt: the user's words before a caption.
        language: which of a caption's translations is taken.
        ignore: keys that are left out on purpose, as "score,license".
    """

    media: Path | None
    coordinates: str = "original"
    task: str = "chat"
    prompt: str = DESCRIBE
    language: str = "en"
    ignore: str = ""

    def __call__(self, raw: Mapping[str, Any]) -> Sample:
        """The sample of a row.

        Raises:
            DataError: a key that is not read, nothing said, or media missing; names the key.
            MessageError: a part with an unknown key.
        """
        keys = Keys(raw if not self.ignore else {k: v for k, v in raw.items() if k not in listed(self.ignore)})
        media = RowMedia(keys, self.media)
        said, task, truth, language = self._said(keys, media)
        about: dict[str, Any] = {"id": "", "license": "", "language": language, "domain": "file", "task": task}
        about |= {name: keys.text(name) for name in about if name in keys.values}
        if "licence" in keys.values and "license" not in keys.values:
            about["license"] = keys.text("licence")
        sample = Sample(said, truth=truth, **about)
        objects = read_objects(keys.take("objects"), media) if keys.has("objects") else None
        sample = _with_pair(sample, keys, media, self.media)
        if objects is not None:
            sample = replace(sample, messages=tuple(objects.write(message) for message in sample.messages))
            sample = sample if sample.rejected is None else replace(sample, rejected=objects.write(sample.rejected))
            objects.finish()
        worse = () if sample.rejected is None else (sample.rejected,)
        refuse_marks((*sample.messages, *worse, *sample.truth.get("rejected_messages", ())))
        sizes = keys.take("width"), keys.take("height")
        keys.finish("the row")
        if not any(message.role == "assistant" and message.trained for message in sample.messages):
            raise DataError("no turn of the row is an answer to learn from; give one, or leave the row out")
        return self._placed(sample, objects, sizes)

    def _said(self, keys: Keys, media: RowMedia) -> tuple[_Turns, str, dict[str, Any], str]:
        """Turns, task, truth and language."""
        turns = keys.take("conversations", "messages")
        if turns is None and isinstance(keys.values.get("prompt"), list):
            turns = keys.take("prompt")
        if turns is not None:
            messages = read_turns(turns, media, keys.text("system"))
            return (*messages, *_completion(keys, media)), self.task, {}, ""
        question = keys.text("question", "query", "instruction", "prompt")
        if question:
            lines = [question, *([keys.text("input")] if keys.has("input") else [])]
            lines += [lettered(keys.take("options"))] if keys.has("options") else []
            history = _history(keys.take("history"))
            asked = [*history, {"role": "user", "content": "\n".join(lines)}]
            answer = _completion(keys, media)
            truth = {"answer": answer[0].text} if len(answer) == 1 else {}
            return (*read_turns(asked, media.restart(), keys.text("system")), *answer), "ask", truth, ""
        if keys.has("chosen"):
            system = keys.text("system")
            return ((say("system", system),) if system else ()), self.task, {}, ""
        return self._captioned(keys, media)

    def _captioned(self, keys: Keys, media: RowMedia) -> tuple[_Turns, str, dict[str, Any], str]:
        key = keys.find(*CAPTIONS)
        if not key:
            raise DataError(
                f"the row has {', '.join(sorted(keys.values)) or 'no fields'}: no turns, and it says nothing; give "
                f"'conversations' or 'messages', question and answer, or one of {', '.join(CAPTIONS)}"
            )
        value, language = keys.take(key), ""
        if isinstance(value, dict) and all(isinstance(name, str) and _LANGUAGE.match(name) for name in value):
            names = (self.language, *(("C", "x-default") if self.language == "en" else ()))
            language = next((name for name in names if value.get(name)), "")
            if not language:
                raise DataError(f"key {key!r} is in {', '.join(value)} and not in {self.language!r}; set language")
            value, language = value[language], self.language
        answer, *more = read_answer(value.strip() if isinstance(value, str) else value, key, media)
        if more:
            raise DataError(f"key {key!r} holds a conversation, expected a caption; give it as messages")
        if not len(media):
            raise DataError(f"key {key!r} is a caption, and the row has no turns and no picture; give image or images")
        shown = (*media.restart().finish(), TextPart(text=self.prompt))
        messages = (Message(role="user", parts=shown), answer)
        return messages, "caption", {}, language

    def _placed(self, sample: Sample, objects: Objects | None, sizes: tuple[Any, Any]) -> Sample:
        """With the form of turns that name places, which are in pixels of the one picture."""
        media = sample.media
        if self.coordinates == "model" or not media:
            return sample
        sides = [*enumerate(sample.messages), *enumerate(sample.truth.get("rejected_messages", ()))]
        sides += [(len(sample.messages) - 1, sample.rejected)] if sample.rejected is not None else []
        found = {i for i, message in sides if may_place(message.text)}
        if not found:
            return sample
        sized = len(media) > 1 or None not in sizes
        named = sized and any(find_places(message.text) for i, message in sides if i in found)
        if named and len(media) > 1 and objects is None:
            raise DataError(
                "a turn names places and the row shows several pictures, so it is not known in which; use one picture "
                "a row, or write pixels of the resized pictures and set data.coordinates=model"
            )
        if named:
            _check_sizes(sample, sizes)
        elif len(media) > 1:
            for i, message in sides:
                refuse_unmarked(message.text, [], _ANY, f"turn {i + 1}: ")
        form = f"marked@{objects.medium}" if objects is not None and objects.medium else "marked"
        return replace(sample, forms=tuple(form if i in found else "" for i in range(max(found) + 1)))


def check_pictures(sample: Sample) -> Sample:
    """The sample, its pictures decoded once: a damaged one is this row's fault, and found now."""
    for part in sample.media:
        if isinstance(part, ImagePart):
            load_image(part.image)
    return sample


def _completion(keys: Keys, media: RowMedia) -> _Turns:
    key = keys.find("answer", "response", "output", "completion")
    return read_answer(keys.take(key), key, media) if key else ()


def _history(pairs: Any) -> list[dict[str, Any]]:
    turns: list[dict[str, Any]] = []
    for pair in [] if pairs is None else pairs if isinstance(pairs, list) else [pairs]:
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            raise DataError(f"key 'history' holds {show(pair)}, expected pairs of question and answer")
        turns += [{"role": "user", "content": pair[0]}, {"role": "assistant", "content": pair[1]}]
    return turns


def _check_sizes(sample: Sample, sizes: tuple[Any, Any]) -> None:
    """Places beside a stated size are in its pixels, so the picture must have it."""
    part = sample.media[0]
    if None in sizes or not isinstance(part, ImagePart):
        return
    width, height = (value[0] if isinstance(value, list) else value for value in sizes)
    real = load_image(part.image).size
    if (width, height) != real:
        raise DataError(
            f"keys 'width' and 'height' say {width}x{height} and the picture has {real[0]}x{real[1]}, so the places of "
            "this row are of another picture or size; scale them, or correct the size"
        )


def _with_pair(sample: Sample, keys: Keys, media: RowMedia, folder: Path | None) -> Sample:
    """The better answer as the last turn, the worse as `rejected`, or as a conversation about other media."""
    if not any(key.startswith(("chosen", "rejected")) for key in keys.values):
        return sample
    others = RowMedia(keys, folder, "rejected_")
    if keys.has("chosen"):
        sample = replace(sample, messages=_chosen(sample.messages, keys.take("chosen"), media))
    key = keys.find("rejected", "rejected_response", "rejected_messages")
    if not key and not len(others):
        return sample
    if not sample.messages or sample.messages[-1].role != "assistant":
        raise DataError(f"the row has key {key or 'rejected_images'!r} and no better answer; give chosen")
    if not sample.messages[-1].trained:
        raise DataError("the turn of the better answer is marked as not learnt from; take the mark out")
    question = sample.messages[:-1]
    worse = read_answer(keys.take(key), key, (others if len(others) else media).restart()) if key else ()
    if len(worse) > 1 and worse[0].role != "assistant":
        whole = (*(question[:1] if question[0].role == "system" != worse[0].role else ()), *worse)
    else:
        whole = (*_shown(question, others), *(worse or sample.messages[-1:]))
    if whole[-1].role != "assistant":
        raise DataError(f"key {key!r} ends with a {whole[-1].role} turn, expected the worse answer")
    if not whole[-1].trained:
        raise DataError(f"key {key!r} is marked as not learnt from; take the mark out")
    sample = replace(sample, rejected=whole[-1])
    if whole[:-1] == question and not len(others):
        return sample
    return replace(sample, truth={**sample.truth, "rejected_messages": whole})


def _chosen(question: _Turns, value: Any, media: RowMedia) -> _Turns:
    turns = read_answer(value, "chosen", media.restart())
    if turns[0].role != "assistant":
        asked = question[1:] if question and question[0].role == "system" != turns[0].role else question
        if asked and turns[: len(asked)] != asked:
            raise DataError("key 'chosen' begins with other turns than the row's own; give the question once")
        return (*question[: len(question) - len(asked)], *turns)
    if not any(message.role == "user" for message in question):
        raise DataError("key 'chosen' is an answer and the row has no question; give prompt or messages")
    if question[-1].role != "assistant":
        return (*question, *turns)
    if question[-1].text != turns[-1].text:
        raise DataError("key 'chosen' and the last turn are two different answers; give the better one once")
    return question


def _shown(question: _Turns, others: RowMedia) -> _Turns:
    """The question with the worse answer's media in the places of its own."""
    if not len(others):
        return question
    left = {kind: list(files) for kind, files in others.files.items()}
    messages: list[Message] = []
    for message in question:
        parts = [
            part if part.type == "text" else left[part.type].pop(0) if left.get(part.type) else None
            for part in message.parts
        ]
        messages.append(message.model_copy(update={"parts": tuple(parts)}))
    if any(left.values()) or any(None in message.parts for message in messages):
        raise DataError(
            f"key 'rejected_images' has {len(others)} media and the question shows another number; give as many"
        )
    return tuple(messages)
