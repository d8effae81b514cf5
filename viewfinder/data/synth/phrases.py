"""First names and cities for short examples; whole people and places of a country are in `countries`."""

import numpy as np

from viewfinder.data.synth.choose import pick

FIRST_NAMES = (
    *("Anna", "Ben", "Clara", "David", "Elena", "Felix", "Grace", "Hugo", "Iris", "Jonas", "Kate", "Leo", "Maria"),
    *("Noah", "Olga", "Paul", "Quinn", "Rosa", "Sam", "Tina", "Umar", "Vera", "Walter", "Xenia", "Yusuf", "Zoe"),
    *("Amir", "Bella", "Chen", "Dina", "Emil", "Fatima", "Georg", "Hana", "Ivan", "Julia", "Karl", "Lina", "Marco"),
)
CITIES = (
    *("Berlin", "London", "Paris", "Rome", "Madrid", "Oslo", "Vienna", "Lisbon", "Dublin", "Prague", "Boston", "Lima"),
    *("Cairo", "Delhi", "Tokyo", "Seoul", "Hanoi", "Sydney", "Denver", "Austin", "Zurich", "Milan", "Turin", "Bergen"),
)


def city(rng: np.random.Generator) -> str:
    return pick(rng, CITIES)
