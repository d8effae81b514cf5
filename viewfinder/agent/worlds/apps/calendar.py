"""Calendar: a week with its meetings; add one, move one, cancel one."""

from viewfinder.agent.worlds.app import App, Hint
from viewfinder.agent.worlds.widgets import Widget, button, choice, column, field, item, row, text

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")
_HOURS = ("8:00", "9:00", "10:00", "11:00", "12:00", "13:00", "14:00", "15:00", "16:00")


class Calendar(App):
    """Day by day. Tasks: add a meeting, move one to another hour, cancel one."""

    name, title = "calendar", "Calendar"

    def setup(self) -> None:
        names = self.some(self.words.meetings, 5)
        meetings = [[name, self.pick(_DAYS), self.pick(_HOURS)] for name in names[:4]]
        self.job = self.pick(["add", "move", "cancel"])
        self.hour = self.pick(_HOURS)
        self.wanted = 0
        while self.job == "move" and self.hour == meetings[0][2]:
            self.hour = self.pick(_HOURS)
        self.new, self.day = names[4], self.pick(_DAYS)
        name, day, _ = meetings[0]
        self.task = {
            "add": f"Add {self.new} on {self.day} at {self.hour}",
            "move": f"Move {name} on {day} to {self.hour}",
            "cancel": f"Cancel {name} on {day}",
        }[self.job]
        self.start = [list(meeting) for meeting in meetings]
        self.data = {
            "day": self.pick(_DAYS),
            "page": "day",
            "open": -1,
            "name": "",
            "hour": "8:00",
            "meetings": meetings,
        }

    def view(self) -> Widget:
        data = self.data
        if data["page"] == "new":
            buttons = row(button("save", "Save", "main"), button("close", "Close"), style="menu")
            hours = choice("hour", "Time", data["hour"], _HOURS)
            return column(text(f"New: {data['day']}", "title"), buttons, field("name", "Name", data["name"]), hours)
        if data["page"] == "meeting":
            name, day, _ = data["meetings"][data["open"]]
            buttons = row(
                button("update", "Save", "main"), button("cancel", "Cancel it"), button("close", "Close"), style="menu"
            )
            return column(text(name, "title"), buttons, text(day), choice("hour", "Time", data["hour"], _HOURS))
        days = row(button("before", "<"), text(data["day"]), button("after", ">"), style="menu")
        mine = sorted(
            (
                (_HOURS.index(hour), i, name, hour)
                for i, (name, day, hour) in enumerate(data["meetings"])
                if day == data["day"]
            )
        )
        items = [item(f"meeting {i}", name, hour) for _, i, name, hour in mine] or [text("Nothing on this day")]
        return column(text("Calendar", "title"), days, *items, row(button("new", "New meeting", "main")))

    def press(self, id: str, at: tuple[float, float] | None = None) -> None:
        data = self.data
        if id in ("before", "after"):
            data["day"] = _DAYS[(_DAYS.index(data["day"]) + (1 if id == "after" else -1)) % len(_DAYS)]
        elif id == "new":
            data.update(page="new", name="", hour="8:00")
        elif id.startswith("meeting "):
            data.update(page="meeting", open=int(id[8:]))
            data["hour"] = data["meetings"][data["open"]][2]
        elif id == "save" and data["name"]:
            data["meetings"].append([data["name"], data["day"], data["hour"]])
            data["page"] = "day"
        elif id == "update":
            data["meetings"][data["open"]][2] = data["hour"]
            data["page"] = "day"
        elif id == "cancel":
            data["meetings"].pop(data["open"])
            data["page"] = "day"
        elif id == "close":
            data["page"] = "day"

    def hint(self) -> Hint | None:
        if self.solved():
            return None
        data = self.data
        day = self.day if self.job == "add" else self.start[0][1]
        name = self.new if self.job == "add" else self.start[0][0]
        page = "new" if self.job == "add" else "meeting"
        if data["page"] != "day":
            is_right = data["page"] == page and data["day"] == day
            if is_right and page == "meeting":
                is_right = data["meetings"][data["open"]][0] == name
            return self._on_page(name) if is_right else Hint("close", "This is not what is wanted, so I close it.")
        if data["day"] != day:
            forward = (_DAYS.index(day) - _DAYS.index(data["day"])) % 5
            id, word = ("after", "next") if forward <= 2 else ("before", "previous")
            return Hint(id, f"It shows {data['day']} and I need {day}, so I go to the {word} day.")
        if self.job == "add":
            return Hint("new", f"{day} is shown, so I add a new meeting.")
        index = next((i for i, meeting in enumerate(data["meetings"]) if meeting[0] == name), None)
        return None if index is None else Hint(f"meeting {index}", f"{name} is on this day, so I open it.")

    def _on_page(self, name: str) -> Hint:
        data = self.data
        if self.job == "cancel":
            return Hint("cancel", f"{name} is open, so I cancel it.")
        if self.job == "add" and data["name"] != name:
            return Hint("name", f"The name is missing, so I type {name}.", name)
        if data["hour"] != self.hour:
            return Hint("hour", f"The time is {data['hour']}, so I set it to {self.hour}.", self.hour)
        return Hint("save" if self.job == "add" else "update", "Name and time are right, so I save.")

    def solved(self) -> bool:
        wanted = [list(meeting) for meeting in self.start]
        if self.job == "add":
            wanted.append([self.new, self.day, self.hour])
        elif self.job == "move":
            wanted[0][2] = self.hour
        else:
            wanted.pop(0)
        return sorted(self.data["meetings"]) == sorted(wanted)
