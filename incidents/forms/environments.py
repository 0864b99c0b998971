"""The form about an environment. Its errors are sentences that say what to write."""

import re
from typing import Any

from django import forms

from incidents.models import Environment

_TEXT = {"class": "form-control"}
_CHECK = {"class": "form-check-input"}
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SECRET = re.compile(r"pass(?:word|wd|phrase)|secret|token|api_?key|credential|private", re.IGNORECASE)
RESERVED = {"new"}


class EnvironmentForm(forms.Form):
    """Where things run. The short name stays, because queues and alerts carry it."""

    label = forms.CharField(
        label="What people call it",
        max_length=80,
        help_text="Such as “Production EU”.",
        widget=forms.TextInput(_TEXT),
        error_messages={"required": "Say what people call it, such as “Production EU”."},
    )
    name = forms.SlugField(
        label="Short name",
        max_length=40,
        help_text="Alerts name it, workers listen to env.<name>. It cannot be changed later.",
        widget=forms.TextInput(_TEXT),
        error_messages={
            "required": "Give it a short name, such as prod-eu.",
            "invalid": "Use letters, digits, hyphens and underscores only.",
        },
    )
    is_production = forms.BooleanField(
        label="This is production",
        required=False,
        help_text="Here commands that disturb users ask for a reason, and what destroys for another lead's approval.",
        widget=forms.CheckboxInput(_CHECK),
    )
    restricted = forms.BooleanField(
        label="Only people with a grant see it",
        required=False,
        widget=forms.CheckboxInput(_CHECK),
    )
    folder = forms.CharField(
        label="Folder that commands start in",
        required=False,
        max_length=400,
        help_text="Such as /srv/shop: where the runbooks' ./scripts, .env and Compose files lie on the worker or the "
        "shell host. Empty: each command starts in an empty directory of its own.",
        widget=forms.TextInput(_TEXT | {"class": "form-control mono", "spellcheck": "false"}),
    )
    variables = forms.CharField(
        label="Variables",
        required=False,
        max_length=20_000,
        strip=True,
        help_text="One a line: NAME=value. Every command there receives them, and people see them.",
        widget=forms.Textarea(_TEXT | {"rows": 6, "class": "form-control mono", "spellcheck": "false"}),
    )

    def __init__(self, *args: Any, environment: Environment | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if environment is not None:
            del self.fields["name"]

    @staticmethod
    def of(environment: Environment) -> dict[str, Any]:
        """Initial values."""
        lines = [f"{name}={value}" for name, value in environment.variables.items()]
        names = ("label", "is_production", "restricted", "folder")
        return {name: getattr(environment, name) for name in names} | {"variables": "\n".join(lines)}

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"].lower()
        if name in RESERVED or Environment.objects.filter(name=name).exists():
            raise forms.ValidationError("Another environment has this name; choose one that is free.")
        return name

    def clean_folder(self) -> str:
        folder: str = self.cleaned_data["folder"]
        if folder and (not folder.startswith("/") or any(ord(letter) < 32 for letter in folder)):
            raise forms.ValidationError("Write the whole path, beginning with /, such as /srv/shop.")
        return folder

    def clean_variables(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for number, line in enumerate(self.cleaned_data["variables"].splitlines(), 1):
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            name, equals, value = (part.strip() for part in line.partition("="))
            if not equals or not _NAME.fullmatch(name):
                raise forms.ValidationError(f"Line {number}: write NAME=value, the name in letters, digits and _.")
            if _SECRET.search(name):
                raise forms.ValidationError(
                    f"Line {number}: {name} looks like a secret, and everybody would see it. "
                    "Register a target with a credential instead."
                )
            if any(ord(letter) < 32 for letter in value):
                raise forms.ValidationError(f"Line {number}: the value holds control characters.")
            found[name] = value
        return found
