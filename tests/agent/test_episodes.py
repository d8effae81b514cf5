"""Episodes and the gymnasium interface: the solver reaches everything, the random clicker little."""

import pytest

from viewfinder.agent.episodes import play, play_worlds, table, wilson
from viewfinder.agent.gym import WorldEnv
from viewfinder.agent.scripted import ScriptedModel, random_clicker
from viewfinder.agent.settings import Settings
from viewfinder.agent.worlds import make_world
from viewfinder.agent.worlds.solver import next_move, solver
from viewfinder.outputs.actions import Action

NO_GRAMMAR = Settings(grammar=False, steps=12)


def make(name: str, seed: int) -> object:
    return make_world(name, "drawn", seed=seed, split="test", size=(308, 308))


def test_the_solver_is_the_upper_end_and_chance_the_lower() -> None:
    names, seeds = ["settings", "map"], range(4)
    best = play_worlds(lambda world, seed: solver(world), names, seeds, make, settings=NO_GRAMMAR)
    chance = play_worlds(
        lambda world, seed: random_clicker(world.device, seed), names, seeds, make, settings=NO_GRAMMAR
    )
    assert [row.successes for row in best] == [4, 4]
    assert all(row.to_dict()["inside"] == 1.0 for row in best)
    assert sum(row.successes for row in chance) <= 2
    assert sum(row.to_dict()["inside"] for row in chance) < 0.6
    assert "100.0%" in table(best)


def test_what_a_model_says_of_itself_does_not_count() -> None:
    call = '{"name": "computer_use", "arguments": {"action": "terminate", "status": "success"}}'
    liar = ScriptedModel([f"Done.\n<tool_call>\n{call}\n</tool_call>"])
    played = play(liar, make("mail", 0), 0, NO_GRAMMAR)
    assert (played.reason, played.success) == ("success", False)


def test_intervals() -> None:
    assert wilson(9, 10) == pytest.approx((0.596, 0.982), abs=0.001)
    assert wilson(0, 0) == (0.0, 1.0)


def test_gymnasium_interface() -> None:
    env = WorldEnv(make_world("settings", "drawn", seed=0, size=(308, 308)), max_steps=10)
    screen, info = env.reset(seed=3)
    assert screen.shape == (308, 308, 3)
    first = info["task"]
    rewards = []
    terminated = truncated = False
    while not (terminated or truncated):
        move = next_move(env.world)
        _, reward, terminated, truncated, info = env.step(move.action)
        rewards.append(reward)
    assert (rewards[-1], sum(rewards), terminated, truncated) == (1.0, 1.0, True, False)
    again, info = env.reset(seed=3)
    assert info["task"] == first
    assert (again == screen).all()
    _, _, _, _, info = env.step("no call")
    assert "no complete tool call" in info["note"]
    for _ in range(9):
        _, _, terminated, truncated, _ = env.step(Action("computer", "wait", time=0))
    assert (terminated, truncated) == (False, True)
