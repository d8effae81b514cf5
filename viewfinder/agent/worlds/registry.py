"""Applications by name."""

import numpy as np

from viewfinder.agent.worlds.app import App
from viewfinder.agent.worlds.apps.calendar import Calendar
from viewfinder.agent.worlds.apps.files import Files
from viewfinder.agent.worlds.apps.forms import Forms
from viewfinder.agent.worlds.apps.mail import Mail
from viewfinder.agent.worlds.apps.map import Map
from viewfinder.agent.worlds.apps.phone import Phone
from viewfinder.agent.worlds.apps.settings import Settings
from viewfinder.agent.worlds.apps.shop import Shop
from viewfinder.agent.worlds.apps.tables import Tables
from viewfinder.agent.worlds.words import Split, words_of
from viewfinder.errors import ViewfinderError

APPS: dict[str, type[App]] = {
    app.name: app for app in (Mail, Shop, Calendar, Settings, Files, Forms, Tables, Map, Phone)
}


def make_app(name: str, seed: int, split: Split = "train") -> App:
    """One instance; the seed and the split decide everything.

    Raises:
        ViewfinderError: no application of that name.
    """
    if name not in APPS:
        raise ViewfinderError(f"there is no world {name!r}, so nothing was started; the worlds are {', '.join(APPS)}")
    return APPS[name](generator(name, seed, split), words_of(split))


def generator(name: str, seed: int, split: Split, purpose: int = 0) -> np.random.Generator:
    """The source of chance of one instance; `purpose` 1 is its look."""
    return np.random.default_rng((("train", "test").index(split), list(APPS).index(name), purpose, seed))
