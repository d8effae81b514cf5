"""Names of keys (`outputs/keys.py`) for Playwright."""

_NAMES = {
    "ctrl": "Control",
    "super": "Meta",
    "menu": "ContextMenu",
    "pageup": "PageUp",
    "pagedown": "PageDown",
    "capslock": "CapsLock",
    "printscreen": "PrintScreen",
    **{name: f"Arrow{name.capitalize()}" for name in ("up", "down", "left", "right")},
}


def key_name(name: str) -> str:
    """`ctrl` gives `Control`, `f5` gives `F5`, `enter` gives `Enter`; a character stays."""
    return name if len(name) == 1 else _NAMES.get(name, name.capitalize())


def shortcut(keys: tuple[str, ...]) -> str:
    """A combination in one form: `("ctrl", "L")` gives `Control+l`."""
    names = [key_name(key) for key in keys]
    modifiers = [name for name in ("Control", "Meta", "Alt", "Shift") if name in names]
    rest = [name.lower() if len(name) == 1 else name for name in names if name not in modifiers]
    return "+".join([*modifiers, *rest])
