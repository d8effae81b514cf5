"""Lines of files end at a line feed alone, and what was cut off is closed."""

import json
from pathlib import Path

import pytest

from viewfinder.outputs.json_lines import append_values, read_kept, read_lines, read_values

CUTTERS = "\u2028\u2029\u0085\x0b\x0c\x1c\x1d\x1e\r"
"""What `str.splitlines` cuts at beside the line feed."""


@pytest.mark.parametrize("mark", CUTTERS)
def test_only_a_line_feed_ends_a_line(tmp_path: Path, mark: str) -> None:
    rows = [{"text": f"one{mark}two"}, {"text": "three"}]
    append_values(tmp_path / "a.jsonl", rows)
    assert read_values(tmp_path / "a.jsonl") == rows
    assert read_kept(tmp_path / "a.jsonl") == rows


def test_marks_and_line_ends_of_other_systems(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + b'{"a": 1}\r\n\r\n  \n{"a": 2}')
    assert read_values(path) == [{"a": 1}, {"a": 2}]
    assert read_lines(path) == ['{"a": 1}', '{"a": 2}']


def test_whole_lines_after_a_damaged_one_are_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"step": 1}\n{"step": 2, "lo\n{"other": 0}\n7\n{"step": 3}\n{"step": 4, "t": "\xc3')
    before = path.read_bytes()
    assert [row["step"] for row in read_kept(path, "step")] == [1, 3]
    assert path.read_bytes() == before
    assert [f"line {number} is damaged" in caplog.text for number in (1, 2, 3, 4, 5)] == [
        False,
        True,
        True,
        True,
        False,
    ]
    assert "the last line was cut off (19 bytes)" in caplog.text
    append_values(path, [{"step": 5}])
    assert [row["step"] for row in read_kept(path, "step")] == [1, 3, 5]
    path.write_bytes(b'{"step": 6}')
    append_values(path, [{"step": 7}])
    assert path.read_bytes() == b'{"step": 6}\n{"step": 7}\n'


def test_a_full_disk_names_the_journal() -> None:
    with pytest.raises(OSError, match=r"No space left.*/dev/full"):
        append_values("/dev/full", [{"step": 1}])


def test_a_line_that_was_cut_off_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    assert read_kept(path) == []
    path.write_bytes(json.dumps({"a": "é"}).encode() + b'\n{"a": "\xc3')
    assert read_kept(path) == [{"a": "é"}]
    append_values(path, [{"a": 3}])
    assert read_kept(path) == [{"a": "é"}, {"a": 3}]
