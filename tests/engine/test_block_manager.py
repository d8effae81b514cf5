"""Blocks of the cache: every one accounted for, equal prefixes found, the oldest forgotten first."""

from hypothesis import given, settings
from hypothesis import strategies as st

from viewfinder.engine.block_manager import BlockManager, hash_block, root_hash


def keys(text: str, tenant: str = "") -> list[bytes]:
    """One key a letter."""
    result = [root_hash(tenant)]
    for letter in text:
        result.append(hash_block(result[-1], letter.encode(), b"", []))
    return result[1:]


def take(pool: BlockManager, text: str) -> list[int] | None:
    """What a request does: match, allocate the rest, publish."""
    table = pool.match(keys(text))
    for key in keys(text)[len(table) :]:
        block = pool.allocate()
        if block is None:
            pool.release(table)
            return None
        table.append(block)
        pool.publish(block, key)
    return table


@settings(deadline=None)
@given(st.integers(1, 6), st.lists(st.one_of(st.text("ab", min_size=1, max_size=4), st.integers(0, 5)), max_size=40))
def test_every_block_is_in_one_state_and_prefixes_are_shared(size: int, moves: list[str | int]) -> None:
    pool = BlockManager(size, 1)
    held: list[tuple[str, list[int]]] = []
    for move in moves:
        if isinstance(move, str):
            table = take(pool, move)
            if table is not None:
                held.append((move, table))
        elif held:
            pool.release(held.pop(move % len(held))[1])
        pool.check()
    for text, table in held:
        for other, blocks in held:
            common = 0
            while common < min(len(text), len(other)) and text[common] == other[common]:
                common += 1
            assert table[:common] == blocks[:common], "live requests with an equal prefix hold the same blocks"
            assert set(table[common:]).isdisjoint(blocks[common:])
    for _, table in held:
        pool.release(table)
    assert pool.num_available == size


def test_the_one_unused_longest_goes_first_and_later_blocks_before_earlier() -> None:
    pool = BlockManager(4, 1)
    for text in ("ab", "xy"):
        table = take(pool, text)
        assert table is not None
        pool.release(table)
    assert pool.allocate() is not None  # takes b
    assert len(pool.match(keys("ab"))) == 1
    assert len(pool.match(keys("xy"))) == 2


def test_keys_tell_apart_tenants_positions_media_and_where_one_part_ends() -> None:
    start = root_hash("a")
    assert root_hash("b") != start
    base = hash_block(start, b"ab", b"c", [b"m"])
    for other in ((b"a", b"bc", [b"m"]), (b"ab", b"d", [b"m"]), (b"ab", b"c", [b"n"]), (b"ab", b"c", [b"m", b""])):
        assert hash_block(start, *other) != base
