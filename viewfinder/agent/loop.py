"""The loop: look, ask, judge, act, write down; until the task ends or a limit does.

    agent = Agent(model, environment, Policy(domains=("example.org",)), recorder=Recorder("run"))
    episode = agent.run("open the first article")

Whatever a model writes that cannot be done becomes a sentence that it reads next time. What it may do is
`policy`'s affair, what the screen is `environment`'s; the model is any `ChatModel`.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from viewfinder.agent.environment import Environment, Observation, StepResult, Stopped, Target, World
from viewfinder.agent.policy import Decision, Policy
from viewfinder.agent.prompts import PastStep, write_request
from viewfinder.agent.secrets import Vault
from viewfinder.agent.settings import Episode, Settings
from viewfinder.agent.trajectory import Recorder, Step
from viewfinder.agent.watch import CircleGuard, changed_at
from viewfinder.errors import ViewfinderError
from viewfinder.media.resize import resize_picture
from viewfinder.media.transform import Transform
from viewfinder.messages import ChatModel, Reply
from viewfinder.outputs.actions import Action, parse_action, tool_schema
from viewfinder.outputs.tool_calls import split_tool_calls, tool_call_grammar

Confirm = Callable[[Decision, Action, Observation], bool]
"""Asks a person; False declines."""


@dataclass
class _Look:
    """One observation, at the size for the model, and where its picture was saved."""

    observation: Observation
    transform: Transform
    screen: str


class Agent:
    """A model at a screen, inside a policy.

    Args:
        confirm: asked when the policy wants a person; None declines everything.
        stop: set from anywhere, ends the run before anything more is pressed.
    """

    def __init__(
        self,
        model: ChatModel,
        environment: Environment,
        policy: Policy | None = None,
        *,
        vault: Vault | None = None,
        confirm: Confirm | None = None,
        recorder: Recorder | None = None,
        settings: Settings | None = None,
        stop: threading.Event | None = None,
        on_step: Callable[[Step], None] | None = None,
    ) -> None:
        self.model = model
        self.environment = environment
        self.policy = policy or Policy()
        self.vault = vault or Vault.of(self.policy.secrets)
        self.settings = settings or Settings()
        self._confirm = confirm or (lambda decision, action, observation: False)
        self._recorder = recorder
        self._stop = stop or threading.Event()
        self._on_step = on_step or (lambda step: None)

    def run(self, task: str, *, about: dict[str, object] | None = None) -> Episode:
        """Work on a task until it ends; never raises for what the model or the screen does."""
        self._task = self.vault.scrub(task)
        self._history: list[PastStep] = []
        self._notes: list[str] = []
        self._circles = CircleGuard(self.settings.circles)
        self._mistakes = self._tokens = self._index = 0
        self._cursor: tuple[float, float] | None = None
        self._began = time.monotonic()
        if self._recorder:
            device, settings = self.environment.device, self.settings
            limits = {"steps": settings.steps, "seconds": settings.seconds, "tokens": settings.tokens}
            rules = self.policy.model_dump(mode="json")
            self._recorder.start(task=self._task, device=device, limits=limits, policy=rules, **(about or {}))
        try:
            reason, note = self._steps()
        except (Stopped, KeyboardInterrupt):
            reason, note = "stopped", "it was stopped by hand"
        except ViewfinderError as error:
            reason, note = "error", str(error)
        return self._finish(reason, note)

    def _steps(self) -> tuple[str, str]:
        while True:
            if reason := self._limit():
                return reason
            self._check_stop()
            self._index += 1
            if ended := self._step():
                return ended

    def _limit(self) -> tuple[str, str] | None:
        settings, spent = self.settings, time.monotonic() - self._began
        if self._index >= settings.steps:
            return "steps", f"the limit of {settings.steps} steps is reached"
        if spent >= settings.seconds:
            return "seconds", f"the limit of {settings.seconds:g} seconds is reached"
        if self._tokens >= settings.tokens:
            return "tokens", f"the limit of {settings.tokens} tokens is reached"
        if self._mistakes >= settings.mistakes:
            return "mistakes", f"{self._mistakes} answers one after another could not be carried out"
        return None

    def _step(self) -> tuple[str, str] | None:
        """One round; the reason and a note when the run is over."""
        began = time.monotonic()
        look = self._look()
        reply = self._ask(look)
        thought = split_tool_calls(reply.text)[0]
        step = Step(self._index, look.screen, look.observation.where, reply.text, thought)
        used = reply.usage.prompt_tokens + reply.usage.completion_tokens
        self._tokens += used
        transform = Transform.from_dict(reply.media[-1].transform) if reply.media else look.transform
        step = replace(step, transform=transform.to_dict(), tokens=used)
        try:
            action = self._at_cursor(parse_action(reply.text, transform))
        except ViewfinderError as problem:
            self._mistakes += 1
            self._write(replace(step, verdict="malformed", note=str(problem)), began)
            return None
        step = replace(step, action=action.to_dict())
        if action.name == "terminate":
            self._write(replace(step, done=True), began)
            return str(action.status), thought or "the model said so"
        times = self._circles.count(look.observation.picture, action)
        if times >= self.settings.circles:
            self._write(replace(step, verdict="repeated"), began)
            return "circles", f"the same {action.name} was taken {times} times on the same screen"
        step = self._do(action, look.observation, step)
        if times == self.settings.circles - 1:
            step = replace(
                step, note=(step.note + " This was done before on the same screen; do something else").strip()
            )
        self._mistakes = 0 if step.done else self._mistakes + 1
        self._write(step, began)
        return ("dry run", "nothing was carried out") if self.settings.dry_run else None

    def _look(self) -> _Look:
        observation = self.environment.observe()
        notes = tuple(self.vault.scrub(note) for note in observation.notes)
        observation = replace(observation, where=self.vault.scrub(observation.where), notes=notes)
        self._notes += notes
        settings = self.settings
        seen = resize_picture(observation.picture, min_pixels=settings.min_pixels, max_pixels=settings.max_pixels)
        self._seen = seen
        screen = self._recorder.screen(self._index, observation) if self._recorder else ""
        return _Look(observation, seen.transform, screen)

    def _ask(self, look: _Look) -> Reply:
        settings, device = self.settings, self.environment.device
        request = write_request(
            self._task,
            self._seen,
            device,
            self._history,
            notes=self._notes,
            form=settings.form,
            past_screens=settings.past_screens,
        )
        self._notes = []
        schema = tool_schema(device, *self._seen.size, strict=True)
        grammar = tool_call_grammar([schema], longest=settings.thought) if settings.grammar else None
        options = {"tools": request.tools, "grammar": grammar, "sampling": settings.sampling}
        for piece in self.model.stream(request.messages, **options):
            self._check_stop()
            if isinstance(piece, Reply):
                return piece.model_copy(update={"text": self.vault.scrub(piece.text)})
        raise ViewfinderError("the model's stream ended without a reply, so no step can be taken; try another model")

    def _at_cursor(self, action: Action) -> Action:
        """Clicks of `computer_use` without a place are at the cursor; drags begin there."""
        if action.device == "computer" and ("click" in action.name) and action.coordinate is None:
            if self._cursor is None:
                raise ViewfinderError(f"{action.name} has no coordinate and the cursor is nowhere yet; give one")
            return replace(action, coordinate=self._cursor)
        return action

    def _do(self, action: Action, seen: Observation, step: Step) -> Step:
        """Judge, confirm, look again, act."""
        by_keys = action.coordinate is None
        target = self.environment.target(None if by_keys else action.coordinate)
        decision = self.policy.judge(action, target, self.vault)
        found = {"role": target.role, "label": target.label[:80], "where": target.where}
        step = replace(step, kinds=decision.kinds, verdict=decision.verdict)
        step = replace(step, target={key: value for key, value in found.items() if value})
        if decision.verdict == "refuse":
            return replace(step, note=f"This was refused: {self.vault.scrub(decision.reason)}.")
        if self.settings.dry_run:
            return replace(step, verdict="dry run", note=decision.reason)
        if decision.verdict == "confirm":
            if not self._confirm(decision, action, seen):
                return replace(
                    step, verdict="declined", note="This was not confirmed by the user; do not try it again."
                )
            step = replace(step, verdict="confirmed")
        self._check_stop()
        if action.coordinate and changed_at(seen.picture, self.environment.observe().picture, action.coordinate):
            return replace(step, verdict="changed", note="The screen changed there before the click; look again.")
        outcome = self._act(action, target, confirmed=step.verdict == "confirmed")
        self._cursor = action.coordinate or self._cursor
        return replace(step, done=outcome.done, note=self.vault.scrub(outcome.note))

    def _act(self, action: Action, target: Target, *, confirmed: bool) -> StepResult:
        """Values stand for secrets only inside this call."""
        try:
            if action.name == "type" and action.text:
                action = replace(action, text=self.vault.reveal(action.text))
            return self.environment.act(action, target if action.coordinate else None, confirmed=confirmed)
        except ViewfinderError as problem:
            return StepResult(False, str(problem))

    def _write(self, step: Step, began: float) -> None:
        step = replace(step, seconds=round(time.monotonic() - began, 3))
        if self._recorder:
            self._recorder.step(step)
        self._history.append(PastStep(step.reply, self._seen, step.note))
        if step.note:
            self._notes.append(step.note)
        self._on_step(step)

    def _check_stop(self) -> None:
        if self._stop.is_set():
            raise Stopped

    def _finish(self, reason: str, note: str) -> Episode:
        final = self.environment.observe()
        seconds = round(time.monotonic() - self._began, 2)
        note = self.vault.scrub(note)
        if self._recorder:
            screen = self._recorder.screen(self._index + 1, final)
            where = self.vault.scrub(final.where)
            world = self.environment if isinstance(self.environment, World) else None
            self._recorder.end(
                reason=reason,
                note=note,
                steps=self._index,
                seconds=seconds,
                tokens=self._tokens,
                screen=screen,
                where=where,
                checked=world.success() if world else None,
                state=world.state() if world else None,
            )
        return Episode(reason, note, self._index, seconds, self._tokens, final)
