"""Secrets by reference: a model writes `{{bank_password}}`, the value goes to the keyboard and nowhere else.

`Vault.reveal` is called last before keys are pressed; `Vault.scrub` stands before everything that is logged or
shown to a model. Values come from environment variables or files, never from a policy file itself.
"""

import base64
import html
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, quote_plus

from pydantic import BaseModel, ConfigDict

from viewfinder.errors import ViewfinderError

_REFERENCE = re.compile(r"\{\{\s*([A-Za-z_][\w-]*)\s*\}\}")
_SHORTEST = 4
"""Shorter values would be found in words that have nothing to do with them."""


class Secret(BaseModel):
    """Where a value comes from, and where it may be typed.

    Attributes:
        env, file: exactly one: the environment variable or the file that holds it.
        domains, apps: where it may be typed; nowhere else.
        visible: may be typed where it can be read from the screen, e.g. an account number.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    env: str | None = None
    file: Path | None = None
    domains: tuple[str, ...] = ()
    apps: tuple[str, ...] = ()
    visible: bool = False


def references(text: str) -> list[str]:
    """Names of the secrets a text refers to: `"{{pin}}"` gives `["pin"]`."""
    return _REFERENCE.findall(text)


class Vault:
    """The values, by name. Prints as names only."""

    def __init__(self, values: Mapping[str, str] | None = None) -> None:
        self._values = dict(values or {})
        self.revealed: set[str] = set()
        for name, value in self._values.items():
            if len(value) < _SHORTEST:
                raise ViewfinderError(
                    f"the secret {name!r} has {len(value)} characters, expected at least {_SHORTEST}, or it could not "
                    "be kept out of logs; use a longer one"
                )

    @classmethod
    def of(cls, secrets: Mapping[str, Secret]) -> "Vault":
        """Read every value from where its declaration says.

        Raises:
            ViewfinderError: a source that does not exist, or none or two given.
        """
        return cls({name: _read(name, secret) for name, secret in secrets.items()})

    def __repr__(self) -> str:
        return f"Vault({', '.join(sorted(self._values))})"

    def __contains__(self, name: str) -> bool:
        return name in self._values

    @property
    def revealed_values(self) -> tuple[str, ...]:
        """Values that have been typed, so that a screen may show them: to be covered in pictures."""
        return tuple(self._values[name] for name in sorted(self.revealed))

    def mentions(self, text: str) -> list[str]:
        """Names of the secrets in a text, by reference or by their value."""
        by_value = [name for name, value in self._values.items() if value in text]
        return list(dict.fromkeys([*references(text), *by_value]))

    def reveal(self, text: str) -> str:
        """The text with values for references, for the keyboard alone.

        Raises:
            ViewfinderError: a reference to a secret that is not there.
        """
        for name in references(text):
            if name not in self._values:
                known = ", ".join(sorted(self._values)) or "none"
                raise ViewfinderError(f"there is no secret {name!r}, so nothing was typed; the secrets are: {known}")
            self.revealed.add(name)
        return _REFERENCE.sub(lambda match: self._values[match[1]], text)

    def scrub(self, text: str) -> str:
        """The text without any value, also where it is written for a URL, HTML, JSON or in base64."""
        for name, value in sorted(self._values.items(), key=lambda item: -len(item[1])):
            for form in _forms(value):
                text = text.replace(form, f"[secret {name}]")
        return text


def _forms(value: str) -> list[str]:
    """How a value may be written, longest first."""
    raw = value.encode()
    forms = {value, quote(value), quote(value, safe=""), quote_plus(value), html.escape(value), json.dumps(value)[1:-1]}
    forms |= {base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode(), raw.hex()}
    forms |= {form.lower() for form in forms if len(form) >= 8} | {value.upper(), value[::-1]}
    return sorted((form for form in forms if len(form) >= _SHORTEST), key=len, reverse=True)


def _read(name: str, secret: Secret) -> str:
    if (secret.env is None) == (secret.file is None):
        raise ViewfinderError(f"the secret {name!r} needs exactly one of env and file; name where its value is")
    if secret.env is not None:
        value = os.environ.get(secret.env)
        if value is None:
            raise ViewfinderError(
                f"the secret {name!r} is read from the environment variable {secret.env}, which is not set; set it"
            )
        return value
    assert secret.file is not None
    try:
        return secret.file.expanduser().read_text().rstrip("\n")
    except OSError as error:
        raise ViewfinderError(
            f"the secret {name!r} cannot be read from its file ({error.strerror}); check it"
        ) from None
