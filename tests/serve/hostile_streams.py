"""Hostile requests to live sessions: to a session that is open, to none, and to open one."""

import random
from collections.abc import Iterator
from typing import Any

from tests.serve.hostile_forms import ODD, PRIVATE, Request

SESSIONS = "/v1/streaming/sessions"
_SAMPLING = ("temperature", "top_p", "top_k", "min_p", "seed", "stop", "logit_bias", "max_tokens", "repetition_penalty")
_TIMES = (*ODD, "NaN", "Infinity", "-0", -0.0, 1e-300, 1e9, 1e10, "1", [1], True)


def hostile_streams(session: str, picture: str, broken: str, chance: random.Random) -> Iterator[Request]:
    """Over 300 requests, a method other than POST before the path.

    `session` is the path of an open one; `picture` and `broken` are `data:` URIs.
    """
    opening: dict[str, Any] = {"queries": ["x"], "fps": 2, "window_seconds": 4, "past_pairs": 2, "past_seconds": 9}
    for name in (*opening, "max_pixels", "model", "id", "tenant"):
        for i, value in enumerate(chance.sample(ODD, 6)):
            yield f"open {name} {i}", SESSIONS, {**opening, name: value}
    yield "open many queries", SESSIONS, {"queries": ["x"] * 10_000}
    yield "open largest", SESSIONS, {"fps": 60, "window_seconds": 17, "past_pairs": 512, "max_pixels": 10**9}
    for i, moment in enumerate(_TIMES):
        yield f"frame time {i}", f"{session}/frame", {"time": moment, "image": picture}
    for i, source in enumerate(
        (*PRIVATE, *ODD, broken, picture[:60], "data:video/mp4;base64,AAAA", "blob:x", picture * 50)
    ):
        yield f"frame image {i}", f"{session}/frame", {"time": 2000 + i, "image": source}
        yield f"frame video {i}", f"{session}/frame", {"time": 3000 + i, "video": source}
    for i, text in enumerate(ODD):
        yield f"ask {i}", f"{session}/ask", {"question": text, "max_tokens": 2}
        yield f"ask when {i}", f"{session}/ask", {"query": text, "max_tokens": 2}
        yield f"ask seconds {i}", f"{session}/ask", {"question": "x", "seconds": text, "max_tokens": 2}
        yield f"watch {i}", f"{session}/watch", {"query": text}
        yield f"sampling {i}", f"{session}/ask", {"question": "x", "max_tokens": 2, chance.choice(_SAMPLING): text}
    for i, words in enumerate(
        ("", "none", "%00", "%ff%fe", "%ed%a0%80", "x&query=y", "a" * 4000, "%3Cb%3E", "%22", "%5Cud800")
    ):
        yield f"unwatch {i}", f"DELETE {session}/watch?query={words}", None
        yield f"unwatch with {i}", f"DELETE {session}/watch?{words}", {"query": words}
    for i, number in enumerate(("-1", "0", "1e9", "9" * 400, "x", "", "%00", "NaN", "0x1", "1&after=2", "[]", "1.5")):
        yield f"events after {i}", f"GET {session}?after={number}", None
    for i, method in enumerate(("GET", "PUT", "PATCH", "OPTIONS", "HEAD", "TRACE")):
        for what in ("/frame", "/ask", "/watch", "/none", ""):
            yield f"method {i} {what}", f"{method} {session}{what}", {"time": 1}
    for i, name in enumerate(
        ("none", "stream_" + "0" * 32, "..", "%2e%2e", "a" * 4000, "%00", "<b>", "\u00e9", ";", "?x")
    ):
        for what in ("frame", "ask", "watch", "", "events"):
            yield f"nobody's {i} {what}", f"{SESSIONS}/{name}/{what}", {"time": 1, "question": "x", "query": "x"}
    for i, body in enumerate((b"", b"{", b"[]", b'{"time": 1, "time": 2}', b"\xff\xfe", b'{"time": 1e400}', b"null")):
        for what in ("", "/frame", "/ask", "/watch"):
            yield f"bytes {i} {what}", (session if what else SESSIONS) + what, body
