"""Turns of tenants in decoding: nobody waits behind another's jobs, workers are not shared, hang-ups end jobs."""

import io
import threading
import time

import pytest
from PIL import Image

from tests.serve.test_fairness import blank_pdf
from viewfinder.errors import LimitError, MediaError
from viewfinder.media.sandbox import CalledOffError, Sandbox, SandboxLimits


def png(size: tuple[int, int] = (60, 40)) -> bytes:
    sink = io.BytesIO()
    Image.effect_noise(size, 50).convert("RGB").save(sink, "PNG", compress_level=1)
    return sink.getvalue()


def heavy(sandbox: Sandbox) -> None:
    """Some seconds of work of a few hundred bytes."""
    sandbox.pages(blank_pdf(48), dpi=150, max_pixels=8_000_000)


@pytest.mark.parametrize("workers", [1, 2])
def test_one_tenant_with_many_jobs_does_not_delay_another(workers: int) -> None:
    with Sandbox(SandboxLimits(workers=workers, seconds=60)) as sandbox:
        sandbox.start()
        failures: list[Exception] = []

        def work(view: Sandbox) -> None:
            try:
                heavy(view)
            except Exception as error:
                failures.append(error)

        hogs = [sandbox.for_tenant("hog") for _ in range(5)]
        threads = [threading.Thread(target=work, args=(hog,)) for hog in hogs]
        for thread in threads:
            thread.start()
        time.sleep(0.3)
        start = time.monotonic()
        assert sandbox.for_tenant("other").image(png()).size == (60, 40)
        waited = time.monotonic() - start
        for hog in hogs:
            hog.call_off()
        for thread in threads:
            thread.join(10)
        assert not any(thread.is_alive() for thread in threads), "what nobody waits for has ended"
        assert len(failures) == 5
        assert all(isinstance(error, CalledOffError) for error in failures)
        assert sandbox.lost == 0, "what was called off is not lost"
        assert waited < 2.5


def test_a_job_that_was_put_back_is_done_all_the_same() -> None:
    with Sandbox(SandboxLimits(workers=2)) as sandbox:
        sandbox.start()
        sizes: list[int] = []
        hogs = [
            threading.Thread(target=lambda: sizes.append(len(sandbox.for_tenant("a").image(png((3000, 2000))).notes)))
            for _ in range(4)
        ]
        for thread in hogs:
            thread.start()
        for _ in range(3):
            sandbox.for_tenant("b").image(png())
        for thread in hogs:
            thread.join(60)
        assert len(sizes) == 4
        assert sandbox.lost == 0


def test_a_worker_sees_one_tenant_only() -> None:
    with Sandbox(SandboxLimits(workers=1)) as sandbox:
        seen: list[int] = []
        for tenant in ("a", "a", "b", "a"):
            sandbox.for_tenant(tenant).image(png())
            seen += sandbox.pids
        assert seen[0] == seen[1]
        assert len(set(seen)) == 3


def test_pages_are_counted_before_any_is_drawn() -> None:
    with Sandbox(SandboxLimits(workers=1)) as sandbox:
        sandbox.start()
        start = time.monotonic()
        with pytest.raises(LimitError, match="pixels together"):
            sandbox.pages(blank_pdf(200), dpi=150, max_pixels=8_000_000, total_pixels=10**9)
        with pytest.raises(MediaError, match="more than once"):
            sandbox.pages(blank_pdf(1), pages=(0, 0))
        assert time.monotonic() - start < 2
        count, sizes = sandbox.measure_pages(blank_pdf(3, side=100), dpi=72)
        assert (count, sizes) == (3, {0: 10_000, 1: 10_000, 2: 10_000})


def test_shares_leave_room_for_whoever_comes_later() -> None:
    from viewfinder.serve.shares import Shares

    shares = Shares(16)
    assert [sum(shares.take(tenant) for _ in range(20)) for tenant in "abc"] == [8, 4, 2]
    for _ in range(7):
        shares.give("a")
    assert shares.take("a")
    alone = Shares(16, one_tenant=True)
    assert sum(alone.take("") for _ in range(20)) == 16
