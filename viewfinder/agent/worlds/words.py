"""Names and things that fill the applications, in two halves without a word in common: for training, and held out."""

from dataclasses import dataclass
from typing import Literal

Split = Literal["train", "test"]


@dataclass(frozen=True)
class Words:
    """What one split draws from."""

    people: tuple[str, ...]
    subjects: tuple[str, ...]
    goods: tuple[str, ...]
    folders: tuple[str, ...]
    places: tuple[str, ...]
    meetings: tuple[str, ...]
    switches: tuple[str, ...]
    cities: tuple[str, ...]


TRAIN = Words(
    people=(
        "Anna",
        "Bruno",
        "Chen",
        "Dora",
        "Emil",
        "Fatima",
        "Greta",
        "Hugo",
        "Ines",
        "Jonas",
        "Kiran",
        "Lena",
        "Mia",
    ),
    subjects=("Lunch", "Invoice", "Trip", "Photos", "Report", "Tickets", "Keys", "Party", "Contract", "Garden", "Book"),
    goods=("Lamp", "Chair", "Kettle", "Scarf", "Radio", "Mirror", "Basket", "Clock", "Teapot", "Rug", "Bottle", "Desk"),
    folders=("Work", "Taxes", "Music", "Pictures", "Letters", "School", "Recipes", "Plans"),
    places=("Museum", "Harbour", "Station", "Library", "Market", "Hospital", "Stadium", "Bakery"),
    meetings=("Dentist", "Budget", "Yoga", "Review", "Choir", "Call", "Dinner", "Training"),
    switches=("Wi-Fi", "Bluetooth", "Dark mode", "Location", "Sounds", "Backup", "Updates", "Night light"),
    cities=("Lisbon", "Oslo", "Kyoto", "Quito", "Turin", "Cork", "Bergen", "Nantes", "Porto", "Graz"),
)
TEST = Words(
    people=("Oskar", "Priya", "Quentin", "Rosa", "Stefan", "Tara", "Umut", "Vera", "Wanda", "Yusuf"),
    subjects=("Meeting", "Receipt", "Holiday", "Poster", "Survey", "Parcel", "Bicycle", "Concert", "Drawing"),
    goods=("Vase", "Sofa", "Toaster", "Jacket", "Guitar", "Blanket", "Candle", "Stool", "Notebook", "Mug"),
    folders=("Archive", "Bills", "Videos", "Scans", "Notes", "Travel", "Projects"),
    places=("Theatre", "Airport", "Castle", "Bridge", "Factory", "Temple", "Cinema"),
    meetings=("Swimming", "Interview", "Haircut", "Planning", "Opera", "Lecture", "Picnic"),
    switches=("Hotspot", "Rotation", "Reminders", "Captions", "Vibration", "Sync", "Power saver"),
    cities=("Vienna", "Seville", "Dakar", "Riga", "Malmo", "Tartu", "Leeds", "Bilbao"),
)


def words_of(split: Split) -> Words:
    """The half of one split."""
    return TRAIN if split == "train" else TEST
