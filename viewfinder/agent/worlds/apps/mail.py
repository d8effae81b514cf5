"""Mail: open, delete, star, answer a message."""

from typing import Any

from viewfinder.agent.worlds.app import App, Hint
from viewfinder.agent.worlds.widgets import Widget, button, column, field, item, row, text


class Mail(App):
    """Inbox, message and answer. Tasks: delete one, star one, or answer one with a word."""

    name, title = "mail", "Mail"

    def setup(self) -> None:
        count = int(self.rng.integers(3, 6))
        people, subjects = self.some(self.words.people, count), self.some(self.words.subjects, count)
        self.mails = list(zip(people, subjects, strict=True))
        self.wanted = int(self.rng.integers(count))
        self.job = self.pick(["delete", "star", "reply"])
        self.word = self.pick(["Yes", "No", "Thanks", "Later"])
        person, subject = self.mails[self.wanted]
        self.task = {
            "delete": f"Delete the message from {person}",
            "star": f"Star the message about {subject}",
            "reply": f"Reply {self.word} to {person}",
        }[self.job]
        self.data = {"open": -1, "writing": False, "text": "", "deleted": [], "starred": [], "sent": []}

    def view(self) -> Widget:
        data = self.data
        if data["writing"]:
            person, subject = self.mails[data["open"]]
            head = text(f"To {person}: {subject}", "title")
            buttons = row(button("send", "Send", "main"), button("cancel", "Cancel"), style="menu")
            return column(head, buttons, field("text", "Message", data["text"]))
        if data["open"] >= 0:
            person, subject = self.mails[data["open"]]
            star = "Unstar" if data["open"] in data["starred"] else "Star"
            names = (("back", "Back"), ("reply", "Reply"), ("star", star), ("delete", "Delete"))
            menu = row(*(button(id, name) for id, name in names), style="menu")
            return column(
                text(subject, "title"), menu, text(f"From {person}"), text(f"Here is what I wrote on {subject}.")
            )
        shown = [i for i in range(len(self.mails)) if i not in data["deleted"]]
        items = (item(f"mail {i}", self.mails[i][0], self.mails[i][1]) for i in shown)
        return column(text("Inbox", "title"), *items)

    def press(self, id: str, at: tuple[float, float] | None = None) -> None:
        data = self.data
        if id.startswith("mail "):
            data["open"] = int(id[5:])
        elif id == "back":
            data["open"] = -1
        elif id == "reply":
            data["writing"], data["text"] = True, ""
        elif id == "cancel":
            data["writing"] = False
        elif id == "send":
            data["sent"].append([data["open"], data["text"]])
            data["writing"], data["text"] = False, ""
        elif id == "star":
            data["starred"] = sorted(set(data["starred"]) ^ {data["open"]})
        elif id == "delete":
            data["deleted"].append(data["open"])
            data["open"] = -1

    def hint(self) -> Hint | None:
        data, (person, subject) = self.data, self.mails[self.wanted]
        if self.solved():
            return None
        if data["writing"]:
            if self.job != "reply" or data["open"] != self.wanted:
                return Hint("cancel", "This answer was not asked for, so I cancel it.")
            if data["text"] != self.word:
                return Hint("text", f"The message is still to be written, so I type {self.word}.", self.word)
            return Hint("send", "The answer is written, so I send it.")
        if data["open"] == self.wanted:
            doing = {"delete": "delete it", "star": "star it", "reply": "reply"}[self.job]
            return Hint(self.job, f"The message from {person} is open, so I {doing}.")
        if data["open"] >= 0:
            return Hint("back", "This is another message, so I go back.")
        about = f"about {subject}" if self.job == "star" else f"from {person}"
        return Hint(f"mail {self.wanted}", f"The message {about} is in the inbox, so I open it.")

    def solved(self) -> bool:
        data = self.data
        wanted: dict[str, Any] = {"deleted": [], "starred": [], "sent": []}
        wanted |= {
            "delete": {"deleted": [self.wanted]},
            "star": {"starred": [self.wanted]},
            "reply": {"sent": [[self.wanted, self.word]]},
        }[self.job]
        return all(data[key] == value for key, value in wanted.items())
