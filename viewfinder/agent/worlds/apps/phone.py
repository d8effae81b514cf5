"""A phone: a launcher with other applications in it."""

from typing import Any

from viewfinder.agent.worlds.app import App, Hint
from viewfinder.agent.worlds.apps.calendar import Calendar
from viewfinder.agent.worlds.apps.mail import Mail
from viewfinder.agent.worlds.apps.map import Map
from viewfinder.agent.worlds.apps.settings import Settings
from viewfinder.agent.worlds.apps.shop import Shop
from viewfinder.agent.worlds.widgets import Widget, button, column, row, text

_INSIDE: tuple[type[App], ...] = (Mail, Shop, Calendar, Settings, Map)


class Phone(App):
    """Tasks are those of the applications inside; first the right one must be opened."""

    name, title = "phone", "Phone"

    def setup(self) -> None:
        order = [int(i) for i in self.rng.permutation(len(_INSIDE))]
        self.apps = {_INSIDE[i].name: _INSIDE[i](self.rng, self.words) for i in order}
        self.wanted = self.pick(sorted(self.apps))
        self.clean = {name: app.state() for name, app in self.apps.items()}
        inside = self.apps[self.wanted]
        self.task = f"In {inside.title}: {inside.task}"
        self.data = {"open": ""}

    def view(self) -> Widget:
        if app := self.apps.get(self.data["open"]):
            inside = app.view()
            return column(row(button("home", "Home"), style="home"), *inside.children)
        names = list(self.apps)
        rows = [
            row(*(button(f"app {name}", self.apps[name].title, "app") for name in names[i : i + 2]))
            for i in range(0, len(names), 2)
        ]
        return column(text("Phone", "title"), *rows)

    def press(self, id: str, at: tuple[float, float] | None = None) -> None:
        if id == "home":
            self.data["open"] = ""
        elif id.startswith("app "):
            self.data["open"] = id[4:]
        elif app := self.apps.get(self.data["open"]):
            app.press(id, at)

    def set(self, id: str, value: str) -> None:
        if app := self.apps.get(self.data["open"]):
            app.set(id, value)

    def hint(self) -> Hint | None:
        title = self.apps[self.wanted].title
        if self.solved():
            return None
        if self.data["open"] == self.wanted:
            return self.apps[self.wanted].hint()
        if self.data["open"]:
            return Hint("home", "This is another app, so I go home.")
        return Hint(f"app {self.wanted}", f"The task is in {title}, so I open it.")

    def solved(self) -> bool:
        return self.apps[self.wanted].solved()

    def state(self) -> dict[str, Any]:
        return {**super().state(), "apps": {name: app.state() for name, app in self.apps.items()}}
