"""A map on a canvas: pins and streets that stand in no document, only in pixels."""

import math

from viewfinder.agent.worlds.app import App, Hint
from viewfinder.agent.worlds.widgets import Shape, Widget, button, canvas, column, row, text

_COLORS = {"red": "#d62728", "blue": "#1f5fd6", "green": "#1e8e3e", "orange": "#f28c1c"}
_RADIUS = 0.055


class Map(App):
    """Named or colored pins. Task: select one, and save it or not."""

    name, title = "map", "Map"

    def setup(self) -> None:
        places, colors = self.some(self.words.places, 4), self.some(list(_COLORS), 4)
        spots: list[tuple[float, float]] = []
        while len(spots) < 4:
            x, y = (round(float(v), 3) for v in self.rng.uniform(0.1, 0.9, 2))
            if all(math.hypot(x - a, y - b) > 0.28 for a, b in spots):
                spots.append((x, y))
        self.pins = list(zip(places, colors, spots, strict=True))
        self.wanted = int(self.rng.integers(4))
        self.save = bool(self.rng.random() < 0.5)
        name, color, _ = self.pins[self.wanted]
        by_color = bool(self.rng.random() < 0.5)
        what = f"the {color} pin" if by_color else f"the {name}"
        self.what = what
        self.task = f"Save {what}" if self.save else f"Select {what} on the map"
        self.streets = [tuple(round(float(v), 3) for v in self.rng.uniform(0, 1, 4)) for _ in range(4)]
        self.data = {"picked": -1, "saved": []}

    def view(self) -> Widget:
        shapes: list[Shape] = [("line", street, "#c8c2b4") for street in self.streets]
        for i, (name, color, (x, y)) in enumerate(self.pins):
            if i == self.data["picked"]:
                shapes.append(("circle", (x, y, _RADIUS * 1.4), "#000000"))
            shapes += [("circle", (x, y, _RADIUS), _COLORS[color]), ("text", (x, y + 0.11), name)]
        picked = self.pins[self.data["picked"]][0] if self.data["picked"] >= 0 else "Nothing"
        buttons = row(button("save", "Save", "main"), button("clear", "Clear"), style="menu")
        return column(text("Map", "title"), buttons, text(f"{picked} selected", "small"), canvas("map", tuple(shapes)))

    def press(self, id: str, at: tuple[float, float] | None = None) -> None:
        data = self.data
        if id == "map" and at is not None:
            hits = [
                i for i, (_, _, (x, y)) in enumerate(self.pins) if math.hypot(at[0] - x, at[1] - y) <= _RADIUS * 1.3
            ]
            data["picked"] = hits[0] if hits else data["picked"]
        elif id == "save" and data["picked"] >= 0 and data["picked"] not in data["saved"]:
            data["saved"].append(data["picked"])
        elif id == "clear":
            data.update(picked=-1, saved=[])

    def hint(self) -> Hint | None:
        data = self.data
        if self.solved():
            return None
        if set(data["saved"]) - {self.wanted} or (data["saved"] and not self.save):
            return Hint("clear", "Something else was saved, so I clear it.")
        if data["picked"] != self.wanted:
            x, y = self.pins[self.wanted][2]
            return Hint("map", f"I see {self.what} on the map, so I click on it.", at=(x, y, _RADIUS))
        return Hint("save", "The right pin is selected, so I save it.")

    def solved(self) -> bool:
        if self.save:
            return bool(self.data["saved"] == [self.wanted])
        return bool(self.data["picked"] == self.wanted and not self.data["saved"])
