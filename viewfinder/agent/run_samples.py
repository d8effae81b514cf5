"""Training samples from recorded runs: only successes, without detours, and with thoughts that match what was done."""

from collections.abc import Iterator

from viewfinder.agent.prompts import PastStep, PromptStyle
from viewfinder.agent.samples import write_sample
from viewfinder.agent.trajectory import Trajectory
from viewfinder.data.sample import Sample
from viewfinder.outputs.actions import Action, format_action


def trajectory_samples(trajectory: Trajectory, form: PromptStyle = "official") -> Iterator[Sample]:
    """The steps of a recorded run that are worth learning from; nothing when it did not succeed.

    Left out: steps that were not done, that had no thought, that changed nothing on the screen (detours), and those
    whose thought names another action than the one done (`matches`).
    """
    if not trajectory.succeeded:
        return
    history: list[PastStep] = []
    screens = [trajectory.screen(step) for step in trajectory.steps]
    for i, step in enumerate(trajectory.steps):
        action = step.read_action()
        if action is None:
            continue
        last = action.name == "terminate"
        moved = last or i + 1 >= len(screens) or screens[i + 1].image.tobytes() != screens[i].image.tobytes()
        if step.done and step.thought and moved and matches(step.thought, action):
            yield write_sample(
                action.device, screens[i], trajectory.task, history, step.thought, action, None, form,
                lineage=("trajectory", trajectory.directory.name, str(step.index)), task_name="screen act",
                target=step.target,
            )  # fmt: skip
        history.append(
            PastStep(f"{step.thought}\n{format_action(action, screens[i].transform)}", screens[i], step.note)
        )


_WORDS = {
    "type": ("type", "write", "enter", "fill"),
    "scroll": ("scroll", "look", "below", "above", "down", "up"),
    "swipe": ("swipe", "scroll", "look", "below", "above"),
    "terminate": ("done", "finished", "complete", "cannot", "can no longer", "success", "over"),
}


def matches(thought: str, action: Action) -> bool:
    """Whether a thought may stand before an action: one that types must speak of typing, the end of the end."""
    text = thought.lower()
    if action.name == "type" and action.text and action.text.strip().lower() in text:
        return True
    return any(word in text for word in _WORDS.get(action.name, ("",)))
