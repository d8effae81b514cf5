"""The program behind `window`: shows widgets in Tk and tells what was done with them. Lines of JSON, one each way.

In: {"view": ..., "skin": ...} to show, or {} to ask. Out: {"events": [...], "boxes": {id: [x0, y0, x1, y1]}, "focus":
id}; boxes in pixels of the display.
"""

import json
import queue
import sys
import threading
import tkinter as tk
from typing import Any, Literal

Node = dict[str, Any]


class Window:
    """One Tk window without frame, as large as the display."""

    def __init__(self, first: dict[str, Any]) -> None:
        self.root = tk.Tk()
        self.root.overrideredirect(True)
        self.width, height = first["size"]
        self.root.geometry(f"{self.width}x{height}+0+0")
        self.skin: dict[str, Any] = first["skin"]
        self.events: list[dict[str, Any]] = []
        self.body: Any = None
        self.show(first["view"])

    def show(self, view: Node) -> None:
        """Another tree in place of what is shown."""
        if self.body is not None:
            self.body.destroy()
        skin = self.skin
        self.font, self.large = ("Helvetica", -skin["size"]), ("Helvetica", -round(skin["size"] * 1.35))
        self.parts: dict[str, Any] = {}
        self.menus: dict[str, Any] = {}
        self.body = tk.Frame(self.root, bg=skin["background"])
        self.body.pack(fill="both", expand=True)
        self._fill(view, self.body)
        self.root.update()
        self.root.focus_force()

    def _fill(self, view: Node, into: Any) -> None:
        for child in view["children"]:
            self._add(child, into, {"anchor": "w", "fill": "x", "pady": 3, "padx": 6})

    def _add(self, node: Node, into: Any, pack: dict[str, Any]) -> None:
        made = getattr(self, f"_{node['kind']}")(node, into)
        made.pack(**pack)

    def _row(self, node: Node, into: Any) -> Any:
        frame = tk.Frame(into, bg=self.skin["background"])
        if node["style"] == "table":
            for i, child in enumerate(node["children"]):
                frame.columnconfigure(i, weight=1, uniform="cell")
                getattr(self, f"_{child['kind']}")(child, frame).grid(row=0, column=i, sticky="ew", padx=2)
            return frame
        side = "right" if self.skin["layout"]["from_right"] else "left"
        for child in node["children"] if side == "left" else reversed(node["children"]):
            self._add(child, frame, {"side": side, "padx": 2})
        return frame

    def _column(self, node: Node, into: Any) -> Any:
        frame = tk.Frame(into, bg=self.skin["background"])
        self._fill(node, frame)
        return frame

    def _label(self, words: str, into: Any, font: Any) -> Any:
        return tk.Label(into, text=words, font=font, anchor="w", bg=self.skin["background"], fg=self.skin["ink"])

    def _text(self, node: Node, into: Any) -> Any:
        return self._label(node["text"], into, self.large if node["style"] == "title" else self.font)

    def _gap(self, node: Node, into: Any) -> Any:
        return self._label("", into, self.font)

    def _press(self, id: str, at: tuple[float, float] | None = None) -> None:
        self.events.append({"kind": "press", "id": id, "at": at})

    def _button(self, node: Node, into: Any, words: str = "", anchor: Literal["w", "center"] = "center") -> Any:
        strong = node["style"] in ("main", "picked", "app")
        back, ink = ("accent", "on_accent") if strong else ("surface", "ink")
        colors = {"bg": self.skin[back], "fg": self.skin[ink], "activebackground": self.skin[back]}
        made = tk.Button(
            into, text=words or node["text"], font=self.font, anchor=anchor, justify="left",
            command=lambda: self._press(node["id"]), takefocus=False, pady=1, **colors,
        )  # fmt: skip
        self.parts[node["id"]] = made
        return made

    def _item(self, node: Node, into: Any) -> Any:
        return self._button(node, into, f"{node['text']}\n{node['detail']}".rstrip(), "w")

    def _field(self, node: Node, into: Any) -> Any:
        frame = tk.Frame(into, bg=self.skin["background"])
        self._label(node["text"], frame, self.font).pack(anchor="w")
        value = tk.StringVar(self.root, node["value"])
        made = tk.Entry(frame, textvariable=value, font=self.font, bg=self.skin["surface"], fg=self.skin["ink"],
                        insertbackground=self.skin["ink"], show="*" if node["style"] == "secret" else "")  # fmt: skip
        made.bind("<Control-a>", lambda event: (made.select_range(0, "end"), "break")[1])
        value.trace_add("write", lambda *_: self.events.append({"kind": "set", "id": node["id"], "value": value.get()}))
        made.pack(fill="x")
        self.parts[node["id"]] = made
        return frame

    def _check(self, node: Node, into: Any) -> Any:
        value = tk.IntVar(self.root, int(node["on"]))
        made = tk.Checkbutton(
            into, text=node["text"], variable=value, font=self.font, anchor="w", bg=self.skin["background"],
            fg=self.skin["ink"], selectcolor=self.skin["surface"], activebackground=self.skin["background"],
            command=lambda: self._press(node["id"]),
        )  # fmt: skip
        made.value = value  # type: ignore[attr-defined]  # Tk forgets a variable that nobody holds
        self.parts[node["id"]] = made
        return made

    def _choice(self, node: Node, into: Any) -> Any:
        frame = tk.Frame(into, bg=self.skin["background"])
        self._label(node["text"], frame, self.font).pack(anchor="w")
        value = tk.StringVar(self.root, node["value"])

        def chosen(option: Any) -> None:
            self.events.append({"kind": "set", "id": node["id"], "value": str(option)})

        made = tk.OptionMenu(frame, value, *node["options"], command=chosen)
        made.configure(font=self.font, anchor="w", bg=self.skin["surface"], fg=self.skin["ink"], takefocus=False)
        made["menu"].configure(font=self.font)
        made.pack(fill="x")
        self.parts[node["id"]] = made
        self.menus[node["id"]] = (made["menu"], node["options"])
        return frame

    def _canvas(self, node: Node, into: Any) -> Any:
        width = self.width - 16
        height = round(width * 0.6)
        made = tk.Canvas(into, width=width, height=height, bg="#efece4", highlightthickness=0)
        for kind, n, color in node["shapes"]:
            x, y = n[0] * width, n[1] * height
            if kind == "circle":
                r = n[2] * min(width, height)
                made.create_oval(x - r, y - r, x + r, y + r, fill=color, outline=color)
            elif kind == "line":
                made.create_line(x, y, n[2] * width, n[3] * height, fill=color, width=4)
            else:
                made.create_text(x, y, text=color, font=self.font)
        made.bind("<Button-1>", lambda event: self._press(node["id"], (event.x / width, event.y / height)))
        self.parts[node["id"]] = made
        return made

    def answer(self) -> dict[str, Any]:
        """What happened since the last answer, and where everything is."""
        self.root.update()
        boxes: dict[str, list[float]] = {}
        for id, part in self.parts.items():
            x, y = part.winfo_rootx(), part.winfo_rooty()
            boxes[id] = [x, y, x + part.winfo_width(), y + part.winfo_height()]
        for id, (menu, options) in self.menus.items():
            if menu.winfo_ismapped():
                tops = [menu.winfo_rooty() + menu.yposition(i) for i in range(len(options))]
                ends = [*tops[1:], menu.winfo_rooty() + menu.winfo_height() - 2]
                for option, top, end in zip(options, tops, ends, strict=True):
                    boxes[f"{id}={option}"] = [menu.winfo_rootx(), top, menu.winfo_rootx() + menu.winfo_width(), end]
        focus = next((id for id, part in self.parts.items() if part is self.root.focus_get()), "")
        events, self.events = self.events, []
        return {"events": events, "boxes": boxes, "focus": focus}


def main() -> None:
    """Until standard input ends."""
    lines: queue.Queue[str | None] = queue.Queue()

    def read() -> None:
        for line in sys.stdin:
            lines.put(line)
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    first = lines.get()
    if first is None:
        return
    window = Window(json.loads(first))
    print(json.dumps(window.answer()), flush=True)

    def listen() -> None:
        while not lines.empty():
            line = lines.get()
            if line is None:
                window.root.destroy()
                return
            message = json.loads(line)
            if "view" in message:
                window.show(message["view"])
            print(json.dumps(window.answer()), flush=True)
        window.root.after(15, listen)

    listen()
    window.root.mainloop()


if __name__ == "__main__":
    main()
