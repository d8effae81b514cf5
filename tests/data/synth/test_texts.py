"""What stands on synthetic papers belongs together: sentences of one topic, heads over what fits them, sums, people."""

import re

import numpy as np
import pytest
from PIL import Image

from viewfinder.data.synth.charts.figures import FORMS as CHART_FORMS
from viewfinder.data.synth.charts.figures import HELD_OUT_FORMS, draw_figures
from viewfinder.data.synth.countries import all_countries, draw_country, write_date
from viewfinder.data.synth.documents.forms import TITLES, draw_form
from viewfinder.data.synth.documents.lettering import draw_hand
from viewfinder.data.synth.documents.receipts import draw_receipt
from viewfinder.data.synth.documents.subjects import draw_filling
from viewfinder.data.synth.documents.values import plain
from viewfinder.data.synth.drawn_text import Pen, written_on
from viewfinder.data.synth.fonts import has_glyph, load_font
from viewfinder.data.synth.kinds import Options
from viewfinder.data.synth.phrase_files import fill_slots, read_sections
from viewfinder.data.synth.topics import Story
from viewfinder.data.synth.words import CHARACTERS


@pytest.mark.parametrize("split", ["train", "held_out"])
def test_every_sentence_of_every_topic_can_be_said_and_is_of_one_split(split) -> None:
    held = {name for name in read_sections("topics.txt", "\n") if name.startswith("held out")}
    assert held
    story = Story(np.random.default_rng(0), split)
    for name, topic in read_sections("topics.txt", "\n").items():
        for key in ("titles", "heads", "items", "text"):
            assert len(topic[key]) >= 5
            for template in topic[key]:
                said = fill_slots(story.rng, template, story.said)
                assert not set(said) - set(CHARACTERS + " "), (name, said)
    topics = {id(read_sections("topics.txt", "\n")[name]) for name in held}
    assert all((id(Story(np.random.default_rng(s), split).topic) in topics) == (split == "held_out") for s in range(20))


def test_a_story_says_nothing_twice_until_all_is_said_and_the_same_for_a_seed() -> None:
    def told() -> list[str]:
        story = Story(np.random.default_rng(7))
        return [story.paragraph(1) for _ in range(12)]

    assert len(set(told())) == 12
    assert told() == told()


def test_money_and_dates_are_written_as_a_country_does() -> None:
    by_name = {country.name: country for country in all_countries()}
    assert by_name["United States"].money(123450) == "$1,234.50"
    assert by_name["Germany"].money(123450) == "1.234,50 €"
    assert by_name["Japan"].money(123450) == "¥123,450"
    assert by_name["Norway"].amount(250) == 2500
    assert write_date("{day} {month} {y}", 3, 2, 2024) == "3 Feb 2024"
    for country in all_countries():
        rng = np.random.default_rng(1)
        assert country.town(rng).isalpha()
        person = country.person(rng)
        assert person.last.lower() in person.email or person.first.lower() in person.email
        assert not set("{}#") & set(person.street + person.city + person.phone)


def test_every_column_of_every_table_holds_what_its_head_says() -> None:
    """A column is of one kind of value: money of one currency, numbers, years, days of one way of writing."""
    rng = np.random.default_rng(2)
    seen = set()
    for _ in range(150):
        filling = draw_filling(rng, 6, 4)
        for column, head in enumerate(filling.heads):
            values = [row[column] for row in filling.rows]
            seen.add(head)
            if head in ("Price", "Total", "Income", "Costs"):
                assert len({re.sub(r"[\d.,]+", "", value) for value in values}) == 1, values
            elif filling.numeric[column]:
                assert all(re.fullmatch(r"-?[\d,]+(\.\d)?%?", value) for value in values), (head, values)
            elif head in ("Date", "Best before", "Last seen"):
                assert len({re.sub(r"\d+|[A-Z][a-z]{2}", "", value) for value in values}) == 1, values
        names = [row[0] for row in filling.rows]
        assert len(set(names)) == len(names)
    assert len(seen) > 40


def test_two_years_of_one_quantity_stand_side_by_side() -> None:
    for seed in range(30):
        filling = draw_filling(np.random.default_rng(seed), 3, 4, pair=2)
        assert filling.heads[2] == filling.heads[3]
        assert filling.heads[1] != filling.heads[2]
        assert filling.numeric[2:] == [True, True]


def test_a_form_is_filled_in_by_one_person_and_asks_what_such_a_form_asks() -> None:
    checked = 0
    for seed in range(30):
        form = draw_form(np.random.default_rng(seed), Options(min_side=300, max_side=500, difficulty=1.0))
        values = {key: leaf.value for key, leaf in form.values.items()}
        if "title" in values:
            keys, ticks = (part.split() for part in TITLES[values["title"]])
            assert {key for key in values if key != "title"} <= {*keys, *(tick.lower() for tick in ticks)}
        if {"age", "birthday", "date"} <= set(values):
            born, year = (max(map(int, re.findall(r"\d{4}", values[key]))) for key in ("birthday", "date"))
            assert int(values["age"]) in (year - born, year - born - 1)
            checked += 1
    assert checked


def test_what_a_till_sells_is_of_its_trade_and_a_total_is_paid() -> None:
    sold = {good.rsplit(" ", 2)[0] for one in read_sections("trades.txt").values() for good in one["goods"]}
    for seed in range(20):
        values = plain(draw_receipt(np.random.default_rng(seed), Options(min_side=300, max_side=600)).values)
        assert {item["name"] for item in values.get("items", ())} <= sold
        if "cash" in values and "change" in values and "total" in values:
            cash, change, total = (int(re.sub(r"\D", "", values[key])) for key in ("cash", "change", "total"))
            assert cash == total + change


@pytest.mark.parametrize("form", [*CHART_FORMS, *HELD_OUT_FORMS])
def test_shares_are_sectors_and_time_is_lines(form: str) -> None:
    for seed in range(20):
        figures = draw_figures(np.random.default_rng(seed), seed / 20, False, (form,))
        if form in ("pie", "donut"):
            assert sum(figures.values[0]) == 100
            assert figures.head not in ("Month", "Day", "Year")
        if form in ("line", "area"):
            assert figures.head in ("Month", "Day", "Year", "Quarter")
        assert len(set(figures.categories)) == len(figures.categories)


def test_a_hand_that_lacks_a_letter_does_not_write_it() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        hand = draw_hand(rng, "train", "a@b.de (1)")
        assert hand is None or all(has_glyph(hand, letter) for letter in "@()")
    assert draw_hand(rng, "train", "\ue000") is None


def test_what_is_erased_is_not_noted_where_something_else_stands_later() -> None:
    image = Image.new("RGB", (120, 60), "white")
    pen = Pen(image)
    pen.text((10, 10), "gone", fill=(0, 0, 0), font=load_font(None, 16))
    pen.erase((0, 5, 119, 40), (255, 255, 255))
    pen.text((10, 10), "here", fill=(0, 0, 0), font=load_font(None, 16))
    assert [line.text for line in written_on(image) or []] == ["here"]


def test_countries_differ_between_papers() -> None:
    assert len({draw_country(np.random.default_rng(seed)).name for seed in range(60)}) == len(all_countries())
