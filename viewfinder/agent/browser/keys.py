"""Names of keys as models write them, for Playwright."""

_NAMES = {
    "ctrl": "Control",
    "control": "Control",
    "alt": "Alt",
    "option": "Alt",
    "shift": "Shift",
    "super": "Meta",
    "win": "Meta",
    "meta": "Meta",
    "cmd": "Meta",
    "command": "Meta",
    "enter": "Enter",
    "return": "Enter",
    "kp_enter": "Enter",
    "esc": "Escape",
    "escape": "Escape",
    "tab": "Tab",
    "space": "Space",
    "backspace": "Backspace",
    "back_space": "Backspace",
    "del": "Delete",
    "delete": "Delete",
    "insert": "Insert",
    "home": "Home",
    "end": "End",
    "pageup": "PageUp",
    "page_up": "PageUp",
    "prior": "PageUp",
    "pgup": "PageUp",
    "pagedown": "PageDown",
    "page_down": "PageDown",
    "next": "PageDown",
    "pgdn": "PageDown",
    "up": "ArrowUp",
    "down": "ArrowDown",
    "left": "ArrowLeft",
    "right": "ArrowRight",
    "capslock": "CapsLock",
}


def key_name(name: str) -> str:
    """`ctrl` gives `Control`, `f5` gives `F5`, `a` stays; unknown names stay and are refused by the browser."""
    text = name.strip() or "Space"
    lower = text.lower().replace("arrow", "") if len(text) > 1 else text
    if len(lower) > 1 and lower[0] == "f" and lower[1:].isdigit():
        return lower.upper()
    return _NAMES.get(lower, text)


def shortcut(keys: tuple[str, ...]) -> str:
    """A combination in one form: `("ctrl", "L")` gives `Control+l`."""
    names = [key_name(key) for key in keys]
    modifiers = [name for name in ("Control", "Meta", "Alt", "Shift") if name in names]
    rest = [name.lower() if len(name) == 1 else name for name in names if name not in modifiers]
    return "+".join([*modifiers, *rest])
