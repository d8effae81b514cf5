"""What is at a place of a page, or has the focus: asked in a world of its own that the page cannot touch.

Scripts of a page may lie about `elementFromPoint` in their own world; Chromium's isolated world has untouched
functions. Frames of other hosts live in other processes, so the search goes from frame to frame.
"""

from dataclasses import dataclass, replace
from typing import Any

from viewfinder.agent.environment import Target

_WORLD = "viewfinder"

_AT = """(function(x, y) {
  let root = document, element = null;
  for (;;) {
    const inner = x === null ? root.activeElement : root.elementFromPoint(x, y);
    if (!inner || inner === element) break;
    element = inner;
    if (!element.shadowRoot) break;
    root = element.shadowRoot;
  }
  return element;
})(%s, %s)"""

_ZOOM = "[visualViewport.scale, visualViewport.offsetLeft, visualViewport.offsetTop]"
"""On phones a page may be laid out wider than the screen, or be zoomed."""

_OPACITY = """(e => {
  let opacity = 1;
  for (let n = e; n && n.nodeType === 1; n = n.parentElement || n.getRootNode().host) {
    const style = getComputedStyle(n), filter = style.filter.match(/opacity\\(([\\d.]+)/);
    opacity *= parseFloat(style.opacity) * (filter ? parseFloat(filter[1]) : 1);
  }
  return opacity;
})"""
"""Of an element within all that holds it: 0 cannot be seen, and may lie over something that invites a click."""

_FRAME = """function() {
  if (this.tagName !== 'IFRAME' && this.tagName !== 'FRAME') return null;
  const r = this.getBoundingClientRect();
  return {x: r.left + this.clientLeft, y: r.top + this.clientTop, opacity: OPACITY(this)};
}""".replace("OPACITY", _OPACITY)

_ACTS_ON = """function() {
  const acts = 'a[href],area[href],button,input,textarea,select,option,label,summary,canvas,[contenteditable=""],'
    + '[contenteditable="true"],[role=button],[role=link],[role=checkbox],[role=menuitem],[role=tab],[role=option],'
    + '[role=switch],[onclick]';
  let found = this.closest ? this.closest(acts) || this : this;
  if (found.tagName === 'LABEL' && found.control) found = found.control;
  return found;
}"""

_DESCRIBE = """function() {
  const e = this, tag = e.tagName.toLowerCase(), type = (e.type || '').toLowerCase();
  const words = s => (s || '').replace(/\\s+/g, ' ').trim().slice(0, 200);
  const buttonTypes = ['submit', 'button', 'reset', 'image'];
  let role = e.getAttribute('role') || '';
  if (tag === 'a' || tag === 'area') role = 'link';
  else if (tag === 'button' || (tag === 'input' && buttonTypes.includes(type))) role = 'button';
  else if (tag === 'select') role = 'select';
  else if (tag === 'canvas') role = 'canvas';
  else if (tag === 'input' && (type === 'checkbox' || type === 'radio')) role = 'checkbox';
  else if (tag === 'input' && (type === 'password' || type === 'file')) role = type;
  else if (tag === 'textarea' || tag === 'input' || e.isContentEditable) role = 'field';
  else if (!role && (e.onclick || e.hasAttribute('onclick'))) role = 'button';
  else if (!role) role = 'text';
  const form = e.form || null;
  const isSubmit = form
    && (tag === 'button' ? type === 'submit' : tag === 'input' && ['submit', 'image'].includes(type));
  const one = form && tag === 'input' && !['checkbox', 'radio', 'file', 'range', 'color'].includes(type);
  const labels = e.labels && e.labels.length ? Array.from(e.labels, l => l.innerText).join(' ') : '';
  let label = e.getAttribute('aria-label') || labels || '';
  if (!label && role === 'field') label = e.getAttribute('placeholder') || e.name || '';
  if (!label && tag === 'input' && role === 'button') label = e.value || type;
  if (!label && role !== 'field' && role !== 'password' && role !== 'select' && tag !== 'body' && tag !== 'html')
    label = e.innerText || e.getAttribute('title') || e.getAttribute('alt') || '';
  const box = e.getBoundingClientRect(), style = getComputedStyle(e), clear = /rgba\\(.*, 0\\)|transparent/;
  const drawn = ['INPUT', 'TEXTAREA', 'SELECT', 'CANVAS', 'IMG', 'VIDEO'].includes(e.tagName);
  const bare = !drawn && (!words(e.innerText) || clear.test(style.color)) && !e.querySelector('img,svg,canvas,video')
    && style.backgroundImage === 'none'
    && clear.test(style.backgroundColor) && parseFloat(style.borderTopWidth) === 0;
  const acts = role === 'link' || role === 'button';
  return {
    role, label: words(label), where: location.href,
    href: (role === 'link' && e.href && (e.href.baseVal || e.href)) || '',
    form: form ? (isSubmit && e.hasAttribute('formaction') && e.formAction || form.action || location.href) : '',
    method: form ? (isSubmit && e.formMethod || form.method || 'get').toLowerCase() : '',
    submits: !!(isSubmit || one), editable: role === 'field' || role === 'password',
    visible: OPACITY(e) > 0.1 && style.visibility === 'visible'
      && (tag === 'html' || tag === 'body' || box.width > 0 && box.height > 0)
      && !(acts && bare && box.width * box.height > 100),
  };
}""".replace("OPACITY", _OPACITY)


@dataclass(frozen=True)
class Found:
    """A target, and the handle by which the browser knows its element."""

    target: Target
    session: Any
    handle: str


async def inspect(context: Any, page: Any, session: Any, xy: tuple[float, float] | None) -> Found | None:
    """What would receive a click at a place (CSS pixels of the page), or keys (None); None where there is nothing."""
    frame_id = (await session.send("Page.getFrameTree"))["frameTree"]["frame"]["id"]
    if xy is not None:
        scale, left, top = await _value(session, frame_id, _ZOOM)
        xy = (xy[0] / scale + left, xy[1] / scale + top)
    opacity = 1.0
    for _ in range(10):  # frames within frames
        handle = await _evaluate(session, frame_id, _AT % (("null", "null") if xy is None else xy))
        if handle is None:
            return None
        frame = await _call(session, handle, _FRAME)
        if not frame:
            found = await _describe(session, frame_id, handle)
            hidden = opacity <= 0.1  # a frame that cannot be seen hides all that is in it
            return replace(found, target=replace(found.target, visible=False)) if hidden else found
        opacity *= frame["opacity"]
        xy = None if xy is None else (xy[0] - frame["x"], xy[1] - frame["y"])
        frame_id = (await session.send("DOM.describeNode", {"objectId": handle}))["node"]["frameId"]
        session = await _session_of(context, page, session, frame_id)
    return None


async def _session_of(context: Any, page: Any, session: Any, frame_id: str) -> Any:
    """The session that knows a frame: its parent's, or its own where it is in another process."""
    from playwright.async_api import Error

    try:
        await session.send("Page.createIsolatedWorld", {"frameId": frame_id, "worldName": _WORLD})
        return session
    except Error:
        for frame in page.frames:
            try:
                own = await context.new_cdp_session(frame)
                if (await own.send("Page.getFrameTree"))["frameTree"]["frame"]["id"] == frame_id:
                    return own
            except Error:  # a frame of its parent's process, or one that has just gone
                continue
    return session


async def _evaluate(session: Any, frame_id: str, expression: str) -> str | None:
    """An element by an expression, as a handle."""
    return (await _result(session, frame_id, expression)).get("objectId")


async def _value(session: Any, frame_id: str, expression: str) -> Any:
    return (await _result(session, frame_id, expression, returnByValue=True))["value"]


async def _result(session: Any, frame_id: str, expression: str, **options: Any) -> dict[str, Any]:
    world = await session.send("Page.createIsolatedWorld", {"frameId": frame_id, "worldName": _WORLD})
    about = {"expression": expression, "contextId": world["executionContextId"], **options}
    return (await session.send("Runtime.evaluate", about))["result"]


async def _call(session: Any, handle: str, function: str, *arguments: Any) -> Any:
    answer = await session.send(
        "Runtime.callFunctionOn",
        {
            "objectId": handle,
            "functionDeclaration": function,
            "arguments": [{"value": value} for value in arguments],
            "returnByValue": True,
        },
    )
    return answer["result"].get("value")


async def _describe(session: Any, frame_id: str, handle: str) -> Found:
    answer = await session.send(
        "Runtime.callFunctionOn", {"objectId": handle, "functionDeclaration": _ACTS_ON, "returnByValue": False}
    )
    handle = answer["result"].get("objectId", handle)
    values = await _call(session, handle, _DESCRIBE)
    node = (await session.send("DOM.describeNode", {"objectId": handle}))["node"]
    identity = f"{frame_id}/{node['backendNodeId']}"
    return Found(Target(**values, identity=identity), session, handle)


_OPTIONS = """function() {
  const r = this.getBoundingClientRect();
  return {multiple: this.multiple || this.size > 1, disabled: this.disabled, selected: this.selectedIndex,
    height: r.height, width: r.width, id: this.dataset.id || '',
    options: Array.from(this.options, o => [o.label || o.text, o.disabled || o.hidden])};
}"""
_CHOOSE = """function(index) {
  this.focus();
  if (this.selectedIndex === index) return;
  this.selectedIndex = index;
  for (const name of ['input', 'change']) this.dispatchEvent(new Event(name, {bubbles: true}));
}"""


async def options_of(found: Found) -> dict[str, Any]:
    """The list of a `<select>`: `options` as [label, disabled], and its state; sizes in CSS pixels."""
    return await _call(found.session, found.handle, _OPTIONS)


async def choose_option(found: Found, index: int) -> None:
    """Choose from a `<select>`, as a click on the open list does."""
    await _call(found.session, found.handle, _CHOOSE, index)
