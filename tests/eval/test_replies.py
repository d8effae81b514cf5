"""Kept replies come back whatever they say, and names of media are names."""

from pathlib import Path

import pytest

from viewfinder.eval.replies import ReplyStore
from viewfinder.eval.source import Files
from viewfinder.messages import Reply


@pytest.mark.parametrize("mark", ["\u2028", "\u0085", "\r", "\x1c"])
def test_a_reply_with_another_line_end_is_taken_up_again(tmp_path: Path, mark: str) -> None:
    store = ReplyStore(tmp_path / "replies.jsonl")
    store.put("a", Reply(text=f"one{mark}two"), None, 1.0)
    store.put("b", Reply(text="three"), 0.5, 1.0)
    again = ReplyStore(tmp_path / "replies.jsonl")
    kept = again.get("a")
    assert kept is not None
    assert kept[0].text == f"one{mark}two"
    assert again.seconds() == 2.0


def test_brackets_in_a_name_are_no_pattern(tmp_path: Path) -> None:
    for name in ("clip[1].mp4", "clip1.mp4"):
        (tmp_path / name).write_bytes(name.encode())
    assert Path(Files(tmp_path).media("clip[1].mp4")).name == "clip[1].mp4"
