"""Shop: put things into the basket and order them."""

from viewfinder.agent.worlds.app import App, Hint
from viewfinder.agent.worlds.widgets import Widget, button, choice, column, item, row, text

_COUNTS = ("1", "2", "3", "4")


class Shop(App):
    """A list, a page for each thing, a basket. Tasks: put so many of one thing in, the cheapest, or order it."""

    name, title = "shop", "Shop"

    def setup(self) -> None:
        count = int(self.rng.integers(3, 6))
        names = self.some(self.words.goods, count)
        prices = self.some(list(range(3, 99)), count)
        self.goods = list(zip(names, prices, strict=True))
        self.cheapest = bool(self.rng.random() < 0.4)
        self.wanted = prices.index(min(prices)) if self.cheapest else int(self.rng.integers(count))
        self.count = self.pick(["1", "1", "2", "3"])
        self.order = bool(self.rng.random() < 0.5)
        what = "the cheapest item" if self.cheapest else f"the {names[self.wanted]}"
        how_many = "" if self.count == "1" else f"{self.count} of "
        self.task = f"Buy {how_many}{what}" if self.order else f"Add {how_many}{what} to the basket"
        self.data = {"page": "list", "open": -1, "count": "1", "basket": {}, "ordered": []}

    def view(self) -> Widget:
        data = self.data
        menu = row(button("list", "Shop"), button("basket", f"Basket ({len(data['basket'])})"), style="menu")
        if data["page"] == "item":
            name, price = self.goods[data["open"]]
            return column(
                text(name, "title"), menu, text(f"{price}.00 euro"),
                choice("count", "Quantity", data["count"], _COUNTS),
                row(button("add", "Add to basket", "main")),
            )  # fmt: skip
        if data["page"] == "basket":
            lines = [
                row(text(f"{count} x {self.goods[int(i)][0]}"), button(f"remove {i}", "Remove"))
                for i, count in data["basket"].items()
            ]
            order = [row(button("order", "Place order", "main"))] if lines else [text("The basket is empty")]
            return column(text("Basket", "title"), menu, *lines, *order)
        if data["page"] == "done":
            return column(text("Thank you", "title"), menu, text("Your order was placed."))
        items = (item(f"item {i}", name, f"{price}.00 euro") for i, (name, price) in enumerate(self.goods))
        return column(text("Shop", "title"), menu, *items)

    def press(self, id: str, at: tuple[float, float] | None = None) -> None:
        data = self.data
        if id.startswith("item "):
            data.update(page="item", open=int(id[5:]), count="1")
        elif id.startswith("remove "):
            data["basket"].pop(id[7:], None)
        elif id == "add":
            data["basket"][str(data["open"])] = data["count"]
            data["page"] = "basket"
        elif id == "order":
            data["ordered"].append(data["basket"])
            data.update(page="done", basket={})
        elif id in ("list", "basket"):
            data["page"] = id

    def hint(self) -> Hint | None:
        data, key, (name, _) = self.data, str(self.wanted), self.goods[self.wanted]
        if self.solved():
            return None
        wrong = next((i for i, count in data["basket"].items() if i != key or count != self.count), None)
        if wrong is not None:
            if data["page"] != "basket":
                return Hint("basket", "The basket holds something else, so I open it.")
            return Hint(f"remove {wrong}", "This was not asked for, so I remove it.")
        if key in data["basket"]:
            if data["page"] == "basket":
                return Hint("order", f"The {name} is in the basket, so I place the order.")
            return Hint("basket", f"The {name} is in the basket, so I open it.")
        if data["page"] == "item" and data["open"] == self.wanted:
            if data["count"] != self.count:
                return Hint("count", f"{self.count} are wanted, so I set the quantity to {self.count}.", self.count)
            return Hint("add", f"This is the {name}, so I add it to the basket.")
        if data["page"] == "list":
            why = "costs the least" if self.cheapest else "is in the list"
            return Hint(f"item {self.wanted}", f"The {name} {why}, so I open it.")
        return Hint("list", "The wanted item is not here, so I go to the shop's list.")

    def solved(self) -> bool:
        wanted = {str(self.wanted): self.count}
        if self.order:
            return bool(self.data["ordered"] == [wanted])
        return bool(self.data["basket"] == wanted and not self.data["ordered"])
