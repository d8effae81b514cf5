"""Whatever ends the engine's thread, what waits is answered."""

import pytest

from tests.serve.conftest import small_engine
from viewfinder.engine.async_engine import AsyncEngine
from viewfinder.engine.ticket import EngineStoppedError
from viewfinder.messages import Sampling, user


def ask(engine: AsyncEngine) -> str:
    return engine.chat_for("t").chat([user("hello")], sampling=Sampling(max_new_tokens=2)).text


@pytest.mark.parametrize("ending", [SystemExit, KeyboardInterrupt, GeneratorExit, MemoryError])
def test_an_ended_thread_answers_and_begins_anew(ending: type[BaseException], monkeypatch: pytest.MonkeyPatch) -> None:
    engine = small_engine()
    engine.start()

    def end(scheduled: list[object]) -> list[object]:
        if scheduled:  # an idle engine steps too
            raise ending
        return []

    monkeypatch.setattr(engine.core.runner, "run", end)
    with pytest.raises(EngineStoppedError):
        ask(engine)
    assert isinstance(ask(engine), str)
    assert engine.is_alive
    engine.stop()


def test_an_engine_that_cannot_begin_anew_says_so_to_all(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = small_engine()
    engine.start()

    def end(scheduled: list[object] | None = None) -> list[object]:
        if scheduled != []:  # an idle engine steps too
            raise SystemExit
        return []

    monkeypatch.setattr(engine.core.runner, "run", end)
    monkeypatch.setattr(engine, "_new_core", end)
    for _ in range(2):
        with pytest.raises(EngineStoppedError):
            ask(engine)
    assert engine.state == "stopped"
    engine.stop()
