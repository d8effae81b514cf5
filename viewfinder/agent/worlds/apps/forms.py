"""Forms: fields, a choice and a check to fill in and send."""

from viewfinder.agent.worlds.app import App, Hint
from viewfinder.agent.worlds.widgets import Widget, button, check, choice, column, field, row, text

_SEATS = ("Window", "Aisle", "Middle")


class Forms(App):
    """A ticket: from whom, where to, which seat, return or not. Task: fill it in so and send it."""

    name, title = "forms", "Tickets"

    def setup(self) -> None:
        self.wanted = {
            "person": self.pick(self.words.people),
            "city": self.pick(self.words.cities),
            "seat": self.pick(_SEATS),
            "back": bool(self.rng.random() < 0.5),
        }
        kind = "return" if self.wanted["back"] else "one-way"
        self.task = (
            f"Book a {kind} ticket to {self.wanted['city']} for {self.wanted['person']}, {self.wanted['seat']} seat"
        )
        self.swapped = bool(self.rng.random() < 0.5)
        self.data = {"person": "", "city": "", "seat": self.pick(_SEATS), "back": False, "sent": []}

    def view(self) -> Widget:
        data = self.data
        if data["sent"]:
            return column(text("Booked", "title"), text(f"Ticket to {data['sent'][-1]['city']}"))
        fields = [field("person", "Name", data["person"]), field("city", "To", data["city"])]
        return column(
            text("Ticket", "title"), *(reversed(fields) if self.swapped else fields),
            choice("seat", "Seat", data["seat"], _SEATS), check("back", "Return ticket", data["back"]),
            row(button("book", "Book", "main"), button("clear", "Clear")),
        )  # fmt: skip

    def press(self, id: str, at: tuple[float, float] | None = None) -> None:
        data = self.data
        if id == "back":
            data["back"] = not data["back"]
        elif id == "clear":
            data.update(person="", city="", back=False)
        elif id == "book":
            data["sent"].append({key: data[key] for key in self.wanted})

    def hint(self) -> Hint | None:
        data, wanted = self.data, self.wanted
        if data["sent"]:
            return None
        for key, label in (
            (("city", "city"), ("person", "name")) if self.swapped else (("person", "name"), ("city", "city"))
        ):
            if data[key] != wanted[key]:
                return Hint(key, f"The {label} is to be filled in, so I type {wanted[key]}.", str(wanted[key]))
        if data["seat"] != wanted["seat"]:
            return Hint("seat", f"The seat is {data['seat']}, so I choose {wanted['seat']}.", str(wanted["seat"]))
        if data["back"] != wanted["back"]:
            return Hint("back", f"The ticket is {'a return' if wanted['back'] else 'one-way'}, so I change the mark.")
        return Hint("book", "Everything is filled in, so I book.")

    def solved(self) -> bool:
        return bool(self.data["sent"] == [self.wanted])
