"""`WebWorld`: an application as a page in Chromium, served from this process; nothing else can be reached."""

import html
import json
from typing import Any
from urllib.parse import urlsplit

from viewfinder.agent.browser import BrowserEnvironment, Chromium
from viewfinder.agent.browser.network_filter import SiteReply, SiteRequest
from viewfinder.agent.environment import Observation, StepResult, Target
from viewfinder.agent.policy import Policy
from viewfinder.agent.worlds.skins import Skin
from viewfinder.agent.worlds.stage import Staged
from viewfinder.agent.worlds.widgets import Widget
from viewfinder.media.transform import Box
from viewfinder.outputs.actions import Action

_SCRIPT = """
const send = body => fetch('/event', {method: 'POST', body: JSON.stringify(body)}).then(r => r.text());
const draw = () => document.querySelectorAll('canvas').forEach(c => {
  const shapes = JSON.parse(c.dataset.shapes), k = devicePixelRatio, r = c.getBoundingClientRect();
  c.width = r.width * k; c.height = r.height * k;
  const pen = c.getContext('2d'), w = c.width, h = c.height;
  pen.textAlign = 'center'; pen.font = `${12 * k}px sans-serif`; pen.lineWidth = 4 * k;
  for (const [kind, n, color] of shapes) {
    pen.fillStyle = pen.strokeStyle = kind === 'text' ? '#222' : color;
    pen.beginPath();
    if (kind === 'circle') { pen.arc(n[0] * w, n[1] * h, n[2] * Math.min(w, h), 0, 7); pen.fill(); }
    else if (kind === 'line') { pen.moveTo(n[0] * w, n[1] * h); pen.lineTo(n[2] * w, n[3] * h); pen.stroke(); }
    else pen.fillText(color, n[0] * w, n[1] * h + 4 * k);
  }
});
const show = text => { document.body.innerHTML = text; draw(); };
document.addEventListener('click', async e => {
  const t = e.target.closest('button,[role=button],canvas');
  if (!t || !t.dataset.id) return;
  const r = t.getBoundingClientRect(), body = {press: t.dataset.id};
  if (t.tagName === 'CANVAS') body.at = [(e.clientX - r.left) / r.width, (e.clientY - r.top) / r.height];
  show(await send(body));
});
document.addEventListener('change', async e => {
  if (e.target.type === 'checkbox') show(await send({press: e.target.parentNode.dataset.id}));
  else if (e.target.tagName === 'SELECT') send({set: e.target.dataset.id, value: e.target.value});
});
document.addEventListener('input', e => {
  if (e.target.tagName === 'INPUT' && e.target.type !== 'checkbox')
    send({set: e.target.dataset.id, value: e.target.value});
});
draw();
"""


def write_page(view: Widget, skin: Skin, title: str) -> str:
    """The whole page."""
    head = f"<!doctype html><html lang=en><meta charset=utf-8><title>{html.escape(title)}</title>"
    head += "<meta name=viewport content='width=device-width'>"
    return f"{head}<style>{_style(skin)}</style><body>{write_body(view)}</body><script>{_SCRIPT}</script></html>"


def write_body(view: Widget) -> str:
    """What the body holds."""
    return "".join(map(_element, view.children))


def _element(widget: Widget) -> str:
    words, id = html.escape(widget.text), html.escape(widget.id)
    value = html.escape(widget.value)
    if widget.kind in ("row", "column"):
        return f"<div class='{widget.kind} {widget.style}'>{''.join(map(_element, widget.children))}</div>"
    if widget.kind == "text":
        return {"title": f"<h1>{words}</h1>", "small": f"<small>{words}</small>"}.get(widget.style, f"<p>{words}</p>")
    if widget.kind == "button":
        return f"<button data-id='{id}' class='{widget.style}'>{words}</button>"
    if widget.kind == "item":
        detail = f"<small>{html.escape(widget.detail)}</small>" if widget.detail else ""
        return f"<div role=button class=item data-id='{id}'><b>{words}</b>{detail}</div>"
    if widget.kind == "field":
        kind = "password" if widget.style == "secret" else "text"
        return f"<label class=line>{words}<input type={kind} autocomplete=off data-id='{id}' value='{value}'></label>"
    if widget.kind == "check":
        return (
            f"<label class=check data-id='{id}'><input type=checkbox{' checked' if widget.on else ''}>{words}</label>"
        )
    if widget.kind == "choice":
        options = "".join(
            f"<option{' selected' if option == widget.value else ''}>{html.escape(option)}</option>"
            for option in widget.options
        )
        return f"<label class=line>{words}<select data-id='{id}'>{options}</select></label>"
    if widget.kind == "canvas":
        return f"<canvas data-id='{id}' data-shapes='{html.escape(json.dumps(widget.shapes), quote=True)}'></canvas>"
    return "<br>"


def _style(skin: Skin) -> str:
    layout, size, gap = skin.layout, skin.size, f"{skin.gap * skin.size:.1f}px"
    radius = f"{skin.radius:.2f}em"
    beside = "flex-direction:row;align-items:center;justify-content:space-between" if layout.labels_beside else ""
    right = "justify-content:flex-end" if layout.from_right else ""
    part = "64%" if layout.labels_beside else "100%"
    panel = f"background:{skin.surface};color:{skin.ink};border:1px solid {skin.line};border-radius:{radius}"
    return f"""
*{{box-sizing:border-box;font:inherit}}
body{{margin:0;padding:{gap};display:flex;flex-direction:column;gap:{gap};background:{skin.background};color:{skin.ink};
font:{size}px/1.3 Arimo,'Liberation Sans',Arial,sans-serif}}
h1{{font-size:1.35em;margin:0}} p{{margin:0}} small{{font-size:.88em}} input,select,button{{{panel};padding:.2em .7em}}
.row{{display:flex;flex-wrap:wrap;gap:{gap};align-items:center;{right}}}
.table{{display:grid;grid-template-columns:repeat(3,1fr)}} .item{{{panel};padding:.3em .5em;cursor:default}}
.item small{{display:block}} .line{{display:flex;flex-direction:column;{beside}}}
.line input,.line select{{width:{part}}}
.check{{display:flex;gap:{gap};align-items:center;align-self:start}}
.main,.picked,.app{{background:{skin.accent};color:{skin.on_accent}}} .app{{flex:1 1 40%;padding:1em 0}}
canvas{{width:100%;aspect-ratio:4/3;background:#efece4;border:1px solid {skin.line}}}
"""


_BOXES = """Array.from(document.querySelectorAll('[data-id]'), e => {
  const r = e.getBoundingClientRect(); return [e.dataset.id, r.left, r.top, r.right, r.bottom]; })"""
_FOCUS = "document.activeElement.dataset.id || ''"


class WebWorld(Staged):
    """See `Staged`.

    Args:
        chromium: a browser to share; None starts one.
        scale: device pixels per CSS pixel.
        bar: show tabs and address above the page.
    """

    renderer = "web"

    def __init__(
        self,
        name: str,
        *,
        chromium: Chromium | None = None,
        scale: float = 1.0,
        bar: bool = False,
        **given: Any,
    ) -> None:
        super().__init__(name, **given)
        self._host = f"{name}.test"
        self.browser = BrowserEnvironment(
            f"https://{self._host}/",
            Policy(domains=(self._host,), writes="any"),
            chromium=chromium,
            size=self.size,
            scale=scale,
            bar=bar,
            touch=self.touch,
            sites={self._host: self._serve},
            offline=True,
            settle=20.0,  # answers come from this process: late ones mean a busy machine, not a page that never rests
        )

    @property
    def screen_size(self) -> tuple[int, int]:
        return self.browser.screen_size

    def _serve(self, request: SiteRequest) -> SiteReply:
        if urlsplit(request.url).path == "/event":
            event = json.loads(request.body)
            if "set" in event:
                self.app.set(event["set"], event["value"])
            else:
                self.app.press(event["press"], tuple(event["at"]) if "at" in event else None)
            return SiteReply(write_body(self.view()))
        return SiteReply(write_page(self.view(), self.skin, self.app.title))

    def _show(self) -> None:
        self.browser.reset()

    def observe(self) -> Observation:
        return self.browser.observe()

    def target(self, xy: tuple[float, float] | None) -> Target:
        return self.browser.target(xy)

    def act(self, action: Action, expected: Target | None = None, *, confirmed: bool = False) -> StepResult:
        if action.name == "system_button" and action.button == "Home" and self.view().find("home"):
            self.app.press("home")
            self._show()
            return StepResult()
        return self.browser.act(action, expected, confirmed=confirmed)

    def boxes(self) -> dict[str, Box]:
        found: list[list[Any]] = self.browser.evaluate(_BOXES)
        place = self.browser.screen_place
        boxes = {id: (*place((x0, y0)), *place((x1, y1))) for id, x0, y0, x1, y1 in found}
        return {**boxes, **{f"{id}={label}": box for id, label, box in self.browser.options()}}

    def focus(self) -> str:
        return self.browser.evaluate(_FOCUS)

    def close(self) -> None:
        self.browser.close()
