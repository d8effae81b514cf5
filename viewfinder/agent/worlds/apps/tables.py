"""Tables: a sheet of cells; change one, or find the largest of a column."""

from viewfinder.agent.worlds.app import App, Hint
from viewfinder.agent.worlds.widgets import Widget, button, column, field, row, text


class Tables(App):
    """Rows of cities by years. Tasks: set a cell, or select the largest value of a year."""

    name, title = "tables", "Table"

    def setup(self) -> None:
        self.rows = self.some(self.words.cities, int(self.rng.integers(3, 5)))
        self.columns = [str(year) for year in sorted(self.some(list(range(2010, 2030)), 2))]
        values = self.some(list(range(10, 99)), len(self.rows) * 2)
        cells = {f"{r} {c}": str(values.pop()) for r in range(len(self.rows)) for c in range(2)}
        year = int(self.rng.integers(2))
        self.largest = bool(self.rng.random() < 0.5)
        if self.largest:
            self.cell = max((key for key in cells if key.endswith(f" {year}")), key=lambda key: int(cells[key]))
            self.task = f"Select the largest value of {self.columns[year]}"
        else:
            self.cell = f"{int(self.rng.integers(len(self.rows)))} {year}"
            self.value = str(int(self.rng.integers(100, 999)))
            self.task = f"Set {self.rows[int(self.cell[0])]} in {self.columns[year]} to {self.value}"
        self.start = dict(cells)
        self.data = {"cell": "", "text": "", "cells": cells}

    def view(self) -> Widget:
        data = self.data
        head = row(text(""), *(text(name) for name in self.columns), style="table")
        body = [
            row(
                text(name),
                *(button(f"cell {r} {c}", data["cells"][f"{r} {c}"], self._style(r, c)) for c in range(2)),
                style="table",
            )
            for r, name in enumerate(self.rows)
        ]
        edit = [field("text", "Value", data["text"]), row(button("set", "Set", "main"))] if data["cell"] else []
        return column(text("Table", "title"), head, *body, *edit)

    def _style(self, r: int, c: int) -> str:
        return "picked" if self.data["cell"] == f"{r} {c}" else "cell"

    def press(self, id: str, at: tuple[float, float] | None = None) -> None:
        data = self.data
        if id.startswith("cell "):
            data["cell"], data["text"] = id[5:], ""
        elif id == "set" and data["cell"] and data["text"]:
            data["cells"][data["cell"]], data["text"] = data["text"], ""

    def hint(self) -> Hint | None:
        data = self.data
        if self.solved():
            return None
        if data["cell"] != self.cell:
            r, c = map(int, self.cell.split())
            name, year = self.rows[r], self.columns[c]
            why = (
                f"{self.start[self.cell]} is the largest of {year}" if self.largest else f"{name} in {year} is the cell"
            )
            return Hint(f"cell {self.cell}", f"{why}, so I click on it.")
        if data["text"] != self.value:
            return Hint("text", f"The cell is selected, so I type {self.value}.", self.value)
        return Hint("set", "The value is typed, so I set it.")

    def solved(self) -> bool:
        if self.largest:
            return bool(self.data["cell"] == self.cell and self.data["cells"] == self.start)
        return bool(self.data["cells"] == {**self.start, self.cell: self.value})
