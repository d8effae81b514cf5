"""Grammars of tenants: one at a time each, the least used first, and apart from what else runs."""

import os
import sys
import threading
import time

import pytest

from tests.engine.small_engine import engine_of
from viewfinder.engine.compile_queue import CompileQueue
from viewfinder.engine.scheduler import BusyError


def test_one_tenant_compiles_one_at_a_time_and_delays_no_other() -> None:
    queue = CompileQueue(workers=2)
    release, begun, at_once = threading.Event(), threading.Event(), [0, 0]

    def slow() -> None:
        at_once[0] += 1
        at_once[1] = max(at_once)
        begun.set()
        release.wait(20)
        at_once[0] -= 1

    many = [threading.Thread(target=queue.run, args=("many", slow)) for _ in range(5)]
    for thread in many:
        thread.start()
    assert begun.wait(20)
    assert queue.run("few", lambda: "done") == "done"  # although five of another wait
    release.set()
    for thread in many:
        thread.join()
    assert at_once == [0, 1]


def test_who_used_the_least_time_comes_next() -> None:
    queue = CompileQueue(workers=1)
    queue.run("heavy", lambda: time.sleep(0.05))
    order: list[str] = []
    release, begun = threading.Event(), threading.Event()
    first = threading.Thread(target=queue.run, args=("other", lambda: (begun.set(), release.wait(20))))
    first.start()
    assert begun.wait(20)
    waiting = [
        threading.Thread(target=queue.run, args=(name, lambda name=name: order.append(name)))
        for name in ("heavy", "light")
    ]
    for thread in waiting:
        thread.start()
    while queue._waiting.total() < 2:
        time.sleep(0.001)
    release.set()
    for thread in (first, *waiting):
        thread.join()
    assert order == ["light", "heavy"]


def test_a_turn_that_does_not_come_is_an_answer() -> None:
    queue = CompileQueue(seconds=0.05)
    release, begun = threading.Event(), threading.Event()
    first = threading.Thread(target=queue.run, args=("a", lambda: (begun.set(), release.wait(20))))
    first.start()
    assert begun.wait(20)
    with pytest.raises(BusyError, match="one at a time"):
        queue.run("a", lambda: None)
    release.set()
    first.join()
    with pytest.raises(ZeroDivisionError):
        queue.run("a", lambda: 1 // 0)
    assert queue.run("a", lambda: 1) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have one priority for all threads")
def test_the_engine_goes_before() -> None:
    def priority() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    queue = CompileQueue()
    assert queue.aside(priority) > priority()
    assert queue.run("a", priority) == priority()  # Python code: whoever waits for the interpreter waits for it


def test_the_server_s_grammars_are_compiled_aside() -> None:
    engine = engine_of()
    assert engine.engine.grammars.regex("a+").may_finish is False
    assert [thread for thread in threading.enumerate() if thread.name.startswith("grammar")]
