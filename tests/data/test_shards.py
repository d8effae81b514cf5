import json
import shutil
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.data.samples import boxed_sample
from viewfinder.data import records
from viewfinder.data.mixture import Mixture, open_mixture, write_mixture
from viewfinder.data.shards import ShardReader, ShardWriter, finish, write_shards
from viewfinder.errors import DataError, ViewfinderError


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("set")
    write_shards((boxed_sample(i) for i in range(23)), directory, per_shard=10, plan={"kind": "test"})
    return directory


def test_manifest_counts_and_index_agree(shards: Path) -> None:
    manifest = json.loads((shards / "manifest.json").read_text())
    assert manifest["samples"] == 23
    assert [shard["samples"] for shard in manifest["shards"]] == [10, 10, 3]
    assert manifest["counts"]["task"] == {"locate": 11, "point": 12}
    assert manifest["plan"] == {"kind": "test"}
    assert sorted(path.name for path in shards.iterdir()) == [
        "index.parquet",
        "manifest.json",
        *(f"shard-{i:06d}.tar" for i in range(3)),
    ]


def test_equal_samples_give_equal_bytes(shards: Path, tmp_path: Path) -> None:
    again = write_shards((boxed_sample(i) for i in range(23)), tmp_path / "again", per_shard=10)
    assert again["hash"] == ShardReader(shards).manifest["hash"]
    other = write_shards((boxed_sample(i + 1) for i in range(23)), tmp_path / "other", per_shard=10)
    assert other["hash"] != again["hash"]


def test_another_encoder_of_pictures_makes_the_same_set(
    shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(records._SAVE, "png", {"format": "PNG", "compress_level": 9})
    again = write_shards((boxed_sample(i) for i in range(23)), tmp_path, per_shard=10)
    before = ShardReader(shards).manifest
    assert again["shards"] != before["shards"]  # their checksums
    assert again["hash"] == before["hash"]


@settings(deadline=None)
@given(start=st.integers(0, 60), seed=st.none() | st.integers(0, 3))
def test_reading_from_k_is_what_comes_after_k(shards: Path, start: int, seed: int | None) -> None:
    with ShardReader(shards) as reader:
        whole = [sample.id for sample in islice(reader.samples(seed=seed, epochs=None), 80)]
        rest = [sample.id for sample in islice(reader.samples(start, seed=seed, epochs=None), 15)]
    assert rest == whole[start : start + 15]
    assert sorted(whole[:23]) == sorted(f"sample-{i}" for i in range(23))


def test_epochs_are_shuffled_differently(shards: Path) -> None:
    reader = ShardReader(shards)
    assert reader.order(0, 5) != reader.order(1, 5)
    assert list(reader.order(0, None)) == list(range(23))


def test_mixture_keeps_weights_and_resumes(shards: Path, tmp_path: Path) -> None:
    write_shards((boxed_sample(i + 100) for i in range(5)), tmp_path / "b")
    write_mixture(tmp_path / "mix.json", {"sft": {str(shards): 3.0, "b": 1.0}}, seed=4)
    mixture = open_mixture(tmp_path / "mix.json")
    ids = [sample.id for sample in islice(mixture.samples(), 400)]
    share = sum(int(i.split("-")[1]) >= 100 for i in ids) / len(ids)
    assert 0.19 < share < 0.31
    for start in (0, 1, 137):
        assert [s.id for s in islice(mixture.samples(start), 20)] == ids[start : start + 20]
    assert sum(mixture.positions(10_000)) == 10_000


def test_mixture_counts_across_blocks(shards: Path) -> None:
    mixture = Mixture({str(shards): 1.0, f"{shards}/.": 2.0})
    first = mixture.positions(4096)
    later = mixture.positions(4100)
    chosen = mixture.choices(1)[:4].tolist()
    assert [b - a for a, b in zip(first, later, strict=True)] == [chosen.count(0), chosen.count(1)]


def test_unfinished_changed_and_foreign_sets_are_refused(shards: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no manifest\.json"):
        ShardReader(tmp_path)
    with pytest.raises(DataError, match="already holds shards"):
        write_shards([boxed_sample()], shards)
    write_shards([boxed_sample()], tmp_path / "c")
    reader = ShardReader(tmp_path / "c")
    reader.verify()
    tar = tmp_path / "c" / "shard-000000.tar"
    tar.write_bytes(tar.read_bytes()[:-1] + b"x")
    with pytest.raises(DataError, match="the manifest says"):
        reader.verify()
    (tmp_path / "m.json").write_text("{}")
    with pytest.raises(DataError, match="stages none"):
        open_mixture(tmp_path / "m.json")
    with pytest.raises(DataError, match="positive weights"):
        Mixture({str(shards): 0.0})


@pytest.fixture
def copied(shards: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(shards, tmp_path / "copied"))


def test_every_changed_byte_of_a_shard_is_noticed_when_it_is_read(copied: Path) -> None:
    shard = copied / "shard-000001.tar"
    whole = shard.read_bytes()
    with ShardReader(copied) as reader:
        rows = [i for i, number in enumerate(reader.index["shard"]) if number == 1]
        end = reader.index["offset"][rows[-1]] + reader.index["nbytes"][rows[-1]]
        for place in range(0, end, end // 40):
            shard.write_bytes(whole[:place] + bytes([whole[place] ^ 16]) + whole[place + 1 :])
            with pytest.raises(DataError, match=r"shard-000001\.tar, sample .* not those that were written"):
                [reader[i] for i in rows]


@pytest.mark.parametrize("fault", ["deleted", "cut"])
@pytest.mark.parametrize("name", ["shard-000001.tar", "index.parquet", "manifest.json"])
def test_a_set_that_is_not_whole_is_not_opened(copied: Path, name: str, fault: str) -> None:
    content = (copied / name).read_bytes()
    (copied / name).unlink()
    if fault == "cut":
        (copied / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(ViewfinderError, match=name.replace(".", r"\.")):
        ShardReader(copied)


def test_changed_bytes_of_the_index_are_noticed(copied: Path, shards: Path) -> None:
    whole, index = (copied / "index.parquet").read_bytes(), ShardReader(shards).index
    missed = 0
    for place in range(4, len(whole), len(whole) // 60):
        (copied / "index.parquet").write_bytes(whole[:place] + bytes([whole[place] ^ 16]) + whole[place + 1 :])
        try:
            missed += ShardReader(copied).index != index
        except DataError:
            continue
    assert missed == 0


def test_a_set_that_grows_is_whole_at_any_time(tmp_path: Path) -> None:
    for number in range(2):
        with ShardWriter(tmp_path, number) as shard:
            shard.add(boxed_sample(number))
        before = (tmp_path / "manifest.json").read_bytes() if number else b""
        finish(tmp_path)
    (tmp_path / "manifest.json").write_bytes(before)  # a stop between index and manifest
    assert len(ShardReader(tmp_path)) == 1


def test_lost_side_files_are_made_again(tmp_path: Path) -> None:
    for number in range(3):
        with ShardWriter(tmp_path, number) as shard:
            shard.add(boxed_sample(number))
    finish(tmp_path)
    before = dict(ShardReader(tmp_path).index)
    (tmp_path / "shard-000001.json").unlink()
    (tmp_path / "shard-000002.json").write_text('{"rows": [')
    finish(tmp_path)
    after = dict(ShardReader(tmp_path).index)
    assert {**after, "content": 0} == {**before, "content": 0}
    assert [ShardReader(tmp_path)[i].id for i in range(3)] == ["sample-0", "sample-1", "sample-2"]
