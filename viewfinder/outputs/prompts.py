"""The words in which the typed jobs are asked, the same for official checkpoints and for training here.

Wording of the official cookbooks (facts 4.2-4.5) where they have one. Knows no model and no picture; each
function gives the text of one user turn.
"""

from collections.abc import Mapping

_DETERMINERS = frozenset(
    [
        "a",
        "all",
        "an",
        "any",
        "both",
        "each",
        "either",
        "every",
        "its",
        "my",
        "our",
        "some",
        "that",
        "the",
        "their",
        "these",
        "this",
        "those",
        "which",
        "your",
    ]
)


def with_determiner(query: str) -> str:
    """The query as the object of a sentence: `red box` becomes `every red box`, `the red box` stays."""
    words = query.strip().split()
    if not words or words[0].lower() in _DETERMINERS or not words[0][0].isalpha():
        return query.strip()
    return f"every {query.strip()}"


def without_determiner(query: str) -> str:
    """The noun of a query: `every red box`, `all the red boxes` and `red box` lose what stands before `red`."""
    words = query.strip().split()
    while len(words) > 1 and words[0].lower() in _DETERMINERS:
        words = words[1:]
    return " ".join(words)


def locate_prompt(query: str) -> str:
    """Boxes as a fenced JSON list; `[]` where there is nothing."""
    return f"Locate {with_determiner(query)} in the image and output the coordinates in JSON format."


def point_prompt(query: str) -> str:
    """Points as a fenced JSON list; `[]` where there is nothing."""
    return f"Point to {with_determiner(query)}, output its coordinates in JSON format."


def count_prompt(query: str) -> str:
    """Detect, then count: a fenced JSON list of points, a blank line, "There are 3 red boxes in the image."."""
    noun = without_determiner(query)
    ask = f"How many {noun} are there in the image?"
    return f"{ask} Please first detect their key points in JSON format, then give the total number."


def read_prompt() -> str:
    """The text alone, line by line."""
    return "Please output only the text content from the image without any additional descriptions or formatting."


def spotting_prompt() -> str:
    """Every line of text with its box, as a fenced JSON list with `text_content`."""
    return "Spotting all the text in the image with line-level, and output in JSON format."


def moments_prompt(query: str) -> str:
    """When something happens, in seconds: "The given query happens in 64.0 - 72.0 seconds."."""
    ask = f"Give the query: '{query.strip()}', when does the described content occur in the video?"
    return f"{ask} Use seconds for time format."


def describe_prompt() -> str:
    """All events of a video, as a fenced JSON list with `start_time`, `end_time` and `description`."""
    return (
        "Localize a series of activity events in the video, output the start and end timestamp for each event, "
        "and describe each event with sentences. Provide the result in json format with 'mm:ss.ff' format for "
        "time depiction."
    )


def parse_prompt() -> str:
    """A page as QwenVL HTML."""
    return "QwenVL HTML"


def extract_prompt(example: str, descriptions: Mapping[str, str] | None = None) -> str:
    """Key information in the format of a JSON text, null where nothing is present; `descriptions` of fields by name."""
    meaning = "".join(f"\n{name}: {said}" for name, said in (descriptions or {}).items())
    return f"Extract the key-value information in the format:{example}{meaning}\nUse null for what is not present."
