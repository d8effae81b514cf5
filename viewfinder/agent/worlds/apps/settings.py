"""Settings: switches and a choice on two pages."""

from viewfinder.agent.worlds.app import App, Hint
from viewfinder.agent.worlds.widgets import Widget, button, check, choice, column, row, text

_LANGUAGES = ("English", "Deutsch", "Español", "Français", "Italiano", "Svenska")


class Settings(App):
    """Task: turn a switch on or off, or choose the language, and apply it."""

    name, title = "settings", "Settings"

    def setup(self) -> None:
        names = self.some(self.words.switches, int(self.rng.integers(3, 6)))
        self.names = names
        on = {name: bool(self.rng.random() < 0.5) for name in names}
        language = self.pick(_LANGUAGES)
        self.data = {
            "page": "switches",
            "on": on,
            "language": language,
            "applied": {"on": dict(on), "language": language},
        }
        self.language, self.switch = language, ""
        if self.rng.random() < 0.7:
            self.switch = self.pick(names)
            self.task = f"Turn {'off' if on[self.switch] else 'on'} {self.switch}"
            self.wanted = {**on, self.switch: not on[self.switch]}
        else:
            while self.language == language:
                self.language = self.pick(_LANGUAGES)
            self.task, self.wanted = f"Set the language to {self.language}", on

    def view(self) -> Widget:
        menu = row(
            button("switches", "Switches"), button("region", "Region"), button("apply", "Apply", "main"), style="menu"
        )
        now = {"on": self.data["on"], "language": self.data["language"]}
        said = text("Saved" if self.data["applied"] == now else "Not saved yet", "small")
        if self.data["page"] == "region":
            return column(
                text("Region", "title"), menu, said, choice("language", "Language", self.data["language"], _LANGUAGES)
            )
        checks = (check(f"switch {name}", name, self.data["on"][name]) for name in self.names)
        return column(text("Settings", "title"), menu, said, *checks)

    def press(self, id: str, at: tuple[float, float] | None = None) -> None:
        if id.startswith("switch "):
            self.data["on"][id[7:]] = not self.data["on"][id[7:]]
        elif id == "apply":
            self.data["applied"] = {"on": dict(self.data["on"]), "language": self.data["language"]}
        elif id in ("switches", "region"):
            self.data["page"] = id

    def hint(self) -> Hint | None:
        if self.solved():
            return None
        data = self.data
        wrong = next((name for name in self.names if data["on"][name] != self.wanted[name]), None)
        if wrong is not None and data["page"] != "switches":
            return Hint("switches", "The switches are on the other page, so I open it.")
        if wrong is not None:
            way = "off, so I turn it on" if self.wanted[wrong] else "on, so I turn it off"
            return Hint(f"switch {wrong}", f"{wrong} is {way}.")
        if data["language"] != self.language:
            if data["page"] != "region":
                return Hint("region", "The language belongs to the region, so I open that page.")
            return Hint("language", f"It is {data['language']}, so I choose {self.language}.", self.language)
        return Hint("apply", "Everything is set as wanted, so I apply it.")

    def solved(self) -> bool:
        return bool(self.data["applied"] == {"on": self.wanted, "language": self.language})
