"""Values of parameters that are secrets: encrypted where they are kept, shown to nobody, masked in what is printed.

A parameter's name says that it is one: nothing else in a document does.
"""

import re
from collections.abc import Mapping
from typing import Any

from django.db import models

from erpops.secrets import EncryptedField

SHOWN = "•••"
_MARK = "sealed:"
_REFERENCE = "the environment's secret "
_NAME = re.compile(
    r"(?:pass(?:word|wd|phrase|code)|pwd|token|credentials?|(?:api|access|private|secret|encryption|signing)[-_. ]?key|"
    r"(?:client|app|shared|webhook|consumer|signing)[-_. ]?secret)(?:[-_. ]?value)?",
    re.IGNORECASE,
)
_box = EncryptedField()


class Sealed(str):
    """The encrypted form of a value; as text it is a mask."""

    __slots__ = ()

    def __str__(self) -> str:
        return SHOWN

    def __format__(self, form: str) -> str:
        return format(SHOWN, form)

    def __repr__(self) -> str:
        return repr(SHOWN)

    def open(self) -> str:
        """The value; empty when its key is gone, so that it is asked for again."""
        try:
            return str(_box.from_db_value(str.__str__(self).removeprefix(_MARK), None, None))
        except ValueError:
            return ""


class ValuesField(models.JSONField):
    """Names and values of parameters; what is a secret comes and goes as `Sealed`."""

    def deconstruct(self) -> Any:
        # For the database it is JSON like any other.
        name, _, arguments, options = super().deconstruct()
        return name, "django.db.models.JSONField", arguments, options

    def renewed(self, value: Any) -> Any:
        """The values to be written so that secrets are encrypted with the first key."""
        return opened(value) if isinstance(value, dict) else value

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        return super().get_db_prep_value(sealed(value) if isinstance(value, dict) else value, connection, prepared)

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        found = super().from_db_value(value, expression, connection)
        return sealed(found) if isinstance(found, dict) else found


def is_secret(name: str) -> bool:
    """Whether a parameter of that name holds a secret."""
    found = list(_NAME.finditer(name))
    return bool(found) and found[-1].end() == len(name.rstrip("_-. >"))


def sealed(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values as they are kept: secrets encrypted, once."""
    return {name: _sealed(value) if is_secret(name) and value else value for name, value in values.items()}


def _sealed(value: Any) -> Sealed:
    if isinstance(value, Sealed):
        return value
    if isinstance(value, str) and value.startswith(_MARK):
        return Sealed(value)
    return Sealed(_MARK + str(_box.get_prep_value(value)))


def opened(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values themselves, for what carries a command out."""
    return {name: value.open() if isinstance(value, Sealed) else value for name, value in values.items()}


def restored(values: Mapping[str, Any], kept: Mapping[str, Any]) -> dict[str, Any]:
    """The values themselves, where what a page did not show comes back as its mask: then it is the kept one."""
    known = opened(kept)
    return {name: known.get(name, "") if value == SHOWN else value for name, value in opened(values).items()}


def of(values: Mapping[str, Any]) -> dict[str, str]:
    """Only the secrets among them, opened, by a name that no environment's secret has."""
    return {f"value of {name}": str(value) for name, value in opened(values).items() if value and is_secret(name)}


def reference(secret: str) -> str:
    """The value that stands for a secret of the environment, which only the start of a command looks up."""
    return _REFERENCE + secret


def referred(values: Mapping[str, Any]) -> dict[str, str]:
    """The secrets of the environment that values refer to, by the name of the parameter."""
    found = {name: str(value) for name, value in opened(values).items() if is_secret(name)}
    return {name: text.removeprefix(_REFERENCE) for name, text in found.items() if text.startswith(_REFERENCE)}


def looked_up(values: Mapping[str, str], secrets: Mapping[str, str]) -> dict[str, str]:
    """The values with what they refer to in its place; one that is gone is left out, so that it is asked for."""
    names = referred(values)
    return {
        name: secrets[names[name]] if name in names else value
        for name, value in values.items()
        if name not in names or secrets.get(names[name])
    }
