"""Folders, WebDatasets and parquet files: rows of pictures with words."""

import io
import json
import tarfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.data.sources.reading import damaged, picture, read_all
from viewfinder.data.catalogue import FILES
from viewfinder.data.plan import build_plan
from viewfinder.errors import DataError


def test_captions_beside_pictures(tmp_path: Path) -> None:
    picture(tmp_path / "b" / "two.png")
    (tmp_path / "b" / "two.txt").write_text("A blue thing.\n")
    picture(tmp_path / "a.jpg")
    damaged(tmp_path / "c.png")
    (tmp_path / "c.txt").write_text("Lost.")
    samples, bad = read_all("folder", tmp_path, license="CC0-1.0", language="de")
    (sample,) = samples
    assert sample.answer == "A blue thing."
    assert (sample.license, sample.language, sample.domain, sample.task) == ("CC0-1.0", "de", "file", "caption")
    assert sample.lineage == ("source.folder@1",)
    assert [one.row for one in bad] == ["a.jpg", "c.png"]
    assert "has no caption; write it to a.txt" in bad[0].reason
    assert "c.png" in bad[1].reason


@pytest.mark.parametrize("name", ["metadata.jsonl", "captions.json"])
def test_captions_in_one_file(tmp_path: Path, name: str) -> None:
    picture(tmp_path / "a.png")
    lines = [{"file_name": "a.png", "text": "One.", "license": "MIT"}, {"file_name": "gone.png", "text": "Two."}]
    captions = {line["file_name"]: line["text"] for line in lines}
    content = "\n".join(map(json.dumps, lines)) if name.endswith("l") else json.dumps(captions)
    (tmp_path / name).write_text(content)
    samples, bad = read_all("folder", tmp_path)
    assert [s.answer for s in samples] == ["One."]
    assert samples[0].license == ("MIT" if name.endswith("l") else "unknown")
    assert "gone.png" in bad[0].reason


def _tar(path: Path, files: dict[str, bytes]) -> None:
    with tarfile.open(path, "w") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def test_webdataset_rows_by_key(tmp_path: Path) -> None:
    image = picture(tmp_path / "p" / "x.png").read_bytes()
    turns = [{"from": "human", "value": "<image>What?"}, {"from": "gpt", "value": "Red."}]
    files = {
        "0001.png": image,
        "0001.txt": b"A red field.",
        "d/0002.json": json.dumps({"conversations": turns, "image": "elsewhere.png"}).encode(),
        "d/0002.png": image,
        "0003.png": image[:50],
        "0003.txt": b"Broken.",
        "0004.json": b"{",
    }
    _tar(tmp_path / "a.tar", files)
    samples, bad = read_all("webdataset", tmp_path / "a.tar")
    assert [(s.id, s.answer, len(s.media)) for s in samples] == [("0001", "A red field.", 1), ("d/0002", "Red.", 1)]
    assert [one.row for one in bad] == ["row 0003 of a.tar", "row 0004 of a.tar"]
    (tmp_path / "b.tar").write_bytes(b"no tar at all" * 100)
    with pytest.raises(DataError, match="no plain tar"):
        read_all("webdataset", tmp_path / "b.tar")


def test_parquet_rows_in_groups(tmp_path: Path) -> None:
    image = picture(tmp_path / "x.png").read_bytes()
    rows = [
        {"image": {"bytes": image, "path": None}, "TEXT": "One.", "question": None, "answer": None},
        {"image": {"bytes": None, "path": "x.png"}, "TEXT": None, "question": "Color?", "answer": "red"},
        {"image": {"bytes": b"junk", "path": None}, "TEXT": "Three.", "question": None, "answer": None},
        {"image": None, "TEXT": None, "question": None, "answer": None},
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet", row_group_size=2)
    samples, bad = read_all("parquet", tmp_path / "a.parquet", columns="caption=TEXT")
    assert [(s.task, s.answer) for s in samples] == [("caption", "One."), ("ask", "red")]
    assert [one.row for one in bad] == ["row 1 of row group 2 of a.parquet", "row 2 of row group 2 of a.parquet"]
    assert "says nothing" in bad[1].reason


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    for name in FILES:
        with pytest.raises(DataError, match="gone"):
            build_plan({"source": {"name": name, "path": str(tmp_path / "gone")}})
    picture(tmp_path / "a.png")
    with pytest.raises(DataError, match=r"cannot be made of .*sizes.*its arguments are path, prompt"):
        build_plan({"source": {"name": "folder", "path": str(tmp_path), "sizes": 3}})


def test_names_with_dots_and_twice_in_a_webdataset(tmp_path: Path) -> None:
    image = picture(tmp_path / "p" / "x.png").read_bytes()
    files = {
        "22.05.png": image,
        "22.05.txt": b"May.",
        "22.06.png": image,
        "1.png": image,
        "1.seg.png": image,
        "1.txt": b"One.",
        "2.cls": b"7",
        "2.png": image,
        "2.txt": b"Two.",
        "3.jpg": image,
        "3.json": json.dumps({"images": ["l.png", "r.png"], "caption": "Three."}).encode(),
        "4.json": json.dumps({"image": "4.png", "caption": "Four."}).encode(),
        "5.png": image,
        "5.txt": b"Five.",
        "5.json": json.dumps({"caption": "Cinq.", "url": "x"}).encode(),
        "6.png": image,
        "6.txt": b"Six.",
        "6.json": json.dumps({"caption": "Six. ", "url": "x", "width": 3}).encode(),
        "7.jpg": image,
        "7.png": image,
        "7.txt": b"Seven.",
    }
    _tar(tmp_path / "a.tar", files)
    samples, bad = read_all("webdataset", tmp_path / "a.tar")
    assert [(s.id, s.answer, len(s.media)) for s in samples] == [("6", "Six.", 1), ("7", "Seven.", 2)]
    reasons = {one.row.split()[1]: one.reason for one in bad}
    assert "'05.png'" in reasons["22"]
    assert "'seg.png'" in reasons["1"]
    assert "'cls'" in reasons["2"]
    assert "names 2 files and the tar holds 1" in reasons["3"]
    assert "no such file" in reasons["4"]
    assert "captions that differ" in reasons["5"]
    samples, bad = read_all("webdataset", tmp_path / "a.tar", ignore="cls", images="png,seg.png")
    assert [(s.id, len(s.media)) for s in samples] == [("1", 2), ("2", 1), ("6", 1), ("7", 2)]
    with tarfile.open(tmp_path / "b.tar", "w") as tar:
        for text in (b"One.", b"Two."):
            info = tarfile.TarInfo("1.txt")
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text))
    assert "stands 2 times" in read_all("webdataset", tmp_path / "b.tar")[1][0].reason


def test_lines_of_metadata_end_at_line_feeds_alone(tmp_path: Path) -> None:
    for name in ("a[1].png", "a1.png"):
        picture(tmp_path / name)
    rows = [{"file_name": "a[1].png", "text": "One\u2028two\x85three."}, {"file_name": "a1.png", "text": "Four."}]
    lines = "\r\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    (tmp_path / "metadata.jsonl").write_bytes(b"\xef\xbb\xbf" + lines.encode())
    samples, bad = read_all("folder", tmp_path)
    assert [s.answer for s in samples] == ["One\u2028two\x85three.", "Four."]
    assert not bad
    assert [Path(s.media[0].image).name for s in samples] == ["a[1].png", "a1.png"]  # type: ignore[union-attr]


def test_names_with_brackets_are_names(tmp_path: Path) -> None:
    folder = tmp_path / "data [v2]"
    picture(folder / "x[0-9].png")
    (folder / "x[0-9].txt").write_text("Bracketed.")
    assert [s.answer for s in read_all("folder", folder)[0]] == ["Bracketed."]
