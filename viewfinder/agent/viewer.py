"""A page for people: every step of a run with its screen, where it acted, what was thought, judged and done.

One HTML file beside the screens, without scripts or anything from outside. Words of models and pages are
escaped.
"""

import html
from pathlib import Path
from typing import Any

from viewfinder.agent.trajectory import Step, Trajectory
from viewfinder.outputs.actions import Action

_POLICY = """<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src 'self' file:;
style-src 'unsafe-inline'">"""
_STYLE = """
body{font:15px/1.45 system-ui,sans-serif;margin:2em auto;max-width:1080px;color:#222;background:#fafafa}
section{display:flex;gap:1.2em;margin:1.2em 0;padding:1em;background:#fff;border:1px solid #ddd;border-radius:6px}
figure{position:relative;margin:0;flex:0 0 58%;align-self:start}
figure img{width:100%;display:block;border:1px solid #bbb}
.dot{position:absolute;width:22px;height:22px;margin:-13px 0 0 -13px;border:3px solid #e6194b;border-radius:50%;
box-shadow:0 0 0 2px #fff}
.to{border-color:#0060dc}code{background:#f0f0f0;padding:.1em .3em;word-break:break-all}
.no{color:#b00020}.yes{color:#0a7d28}small{color:#666}
"""


def write_viewer(trajectory: Trajectory, file: str | Path | None = None) -> Path:
    """Write the page, as `index.html` in the run's directory when no file is named; gives its path."""
    file = Path(file) if file else trajectory.directory / "index.html"
    end = trajectory.end
    head = f"<h1>{html.escape(trajectory.task)}</h1><p>{_ending(trajectory)}</p>"
    body = "".join(_section(trajectory, step) for step in trajectory.steps)
    last = _figure(end["screen"]) if end.get("screen") else ""
    tail = (
        f"<section>{last}<div><h2>The end</h2><small>{html.escape(str(end.get('where', '')))}</small></div></section>"
    )
    file.write_text(
        f'<!doctype html><meta charset="utf-8">{_POLICY}<title>{html.escape(trajectory.task[:60])}</title>'
        f"<style>{_STYLE}</style>{head}{body}{tail if last else ''}\n",
        encoding="utf-8",
    )
    return file


def _ending(trajectory: Trajectory) -> str:
    end = trajectory.end
    if not end:
        return '<b class="no">The run was cut off.</b>'
    css = "yes" if trajectory.succeeded else "no"
    checked = {None: "", True: " (checked by the world)", False: " (the world says no)"}[end.get("checked")]
    cost = f"{end.get('steps', 0)} steps, {end.get('seconds', 0):g} s, {end.get('tokens', 0)} tokens"
    return (
        f'<b class="{css}">{html.escape(end["reason"])}{checked}</b>: {html.escape(end["note"])}<br>{html.escape(cost)}'
    )


def _section(trajectory: Trajectory, step: Step) -> str:
    action = step.read_action()
    marks = _marks(trajectory, step, action) if action else ""
    call = ", ".join(f"{key}={value}" for key, value in (step.action or {}).items() if key not in ("device", "action"))
    said = f"<code>{html.escape((step.action or {}).get('action', 'no action'))} {html.escape(call)}</code>"
    target = " ".join(str(step.target.get(key, "")) for key in ("role", "label")).strip()
    lines = [
        f"<h2>{step.index}</h2><p>{html.escape(step.thought or '')}</p><p>{said}</p>",
        f"<p>on {html.escape(target)}</p>" if target else "",
        f'<p class="{"yes" if step.done else "no"}">{html.escape(" ".join((step.verdict, *step.kinds)))}</p>',
        f"<p>{html.escape(step.note)}</p>" if step.note else "",
        f"<small>{html.escape(step.where)}<br>{step.seconds:g} s, {step.tokens} tokens</small>",
    ]
    return f"<section>{_figure(step.screen, marks)}<div>{''.join(lines)}</div></section>"


def _figure(screen: str, marks: str = "") -> str:
    return f'<figure><img src="{html.escape(screen)}" alt="">{marks}</figure>' if screen else ""


def _marks(trajectory: Trajectory, step: Step, action: Action) -> str:
    size: Any = (step.transform or {}).get("original_size")
    places = [(action.coordinate, "dot"), (action.coordinate2, "dot to")]
    return "".join(
        f'<i class="{css}" style="left:{100 * place[0] / size[0]:.2f}%;top:{100 * place[1] / size[1]:.2f}%"></i>'
        for place, css in places
        if place and size
    )
