"""The form about a target. A secret that is typed into an address is moved to where secrets are kept."""

from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from django import forms
from django.db.models import QuerySet

from checks.choices import TargetKind
from checks.forms.check import RESERVED
from checks.models import Target
from checks.probes.tcp import host_and_port
from incidents.models import Environment, Service

_TEXT = {"class": "form-control"}
_SELECT = {"class": "form-select"}
_SCHEMES = {
    TargetKind.HTTP: ({"http", "https"}, "Write a URL such as https://shop.internal."),
    TargetKind.POSTGRES: ({"postgres", "postgresql"}, "Write it as postgresql://user@host:5432/database."),
    TargetKind.REDIS: ({"redis", "rediss", "valkey"}, "Write it as redis://host:6379/0."),
}


class TargetForm(forms.Form):
    """A reachable thing. The kind and the name of an existing one stay; so does an address kept in a setting."""

    label = forms.CharField(
        label="What it is",
        max_length=80,
        widget=forms.TextInput(_TEXT),
        error_messages={"required": "Say what this is, such as “Orders database”."},
    )
    name = forms.SlugField(
        label="Short name",
        max_length=60,
        help_text="Used in addresses and labels; it cannot be changed later.",
        widget=forms.TextInput(_TEXT),
        error_messages={
            "required": "Give it a short name, such as orders-db.",
            "invalid": "Use letters, digits, hyphens and underscores only.",
        },
    )
    kind = forms.ChoiceField(label="Kind", choices=TargetKind.choices, widget=forms.Select(_SELECT))
    environment = forms.ModelChoiceField(
        label="Environment",
        queryset=Environment.objects.none(),
        widget=forms.Select(_SELECT),
        error_messages={"required": "Choose where it runs.", "invalid_choice": "Choose one of these environments."},
    )
    service = forms.ModelChoiceField(
        label="Service", queryset=Service.objects.all(), required=False, widget=forms.Select(_SELECT)
    )
    address = forms.CharField(
        label="Address",
        max_length=500,
        help_text="A URL, host:port, or a path on the worker's machine, by kind.",
        widget=forms.TextInput(_TEXT | {"autocomplete": "off", "spellcheck": "false"}),
        error_messages={"required": "Write where it is found."},
    )
    credential = forms.CharField(
        label="Password or token",
        required=False,
        max_length=500,
        help_text="Kept encrypted and never shown again. Leave it empty to keep the one that is stored.",
        widget=forms.PasswordInput(_TEXT | {"autocomplete": "new-password"}),
    )
    enabled = forms.BooleanField(
        label="Switched on", required=False, initial=True, widget=forms.CheckboxInput({"class": "form-check-input"})
    )

    def __init__(
        self, *args: Any, environments: QuerySet[Environment], target: Target | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.target = target
        self.fields["environment"].queryset = environments  # type: ignore[attr-defined]
        if target is not None:
            for name in ("name", "kind", *(("address", "credential") if target.setting else ())):
                del self.fields[name]

    @staticmethod
    def of(target: Target) -> dict[str, Any]:
        """Initial values; the credential is not among them."""
        return {name: getattr(target, name) for name in ("label", "environment", "service", "address", "enabled")}

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if name in RESERVED or Target.objects.filter(name=name).exists():
            raise forms.ValidationError("Another target has this name; choose one that is free.")
        return name

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        kind = self.target.kind if self.target else given.get("kind")
        if kind and given.get("address"):
            try:
                given["address"], inside = _address(str(kind), given["address"])
            except ValueError as error:
                self.add_error("address", str(error))
            else:
                given["credential"] = given.get("credential") or inside
        return given

    def values(self) -> dict[str, Any]:
        """What to keep, by the names of the target's columns; an empty credential keeps the stored one."""
        kept = dict(self.cleaned_data)
        if self.target is not None and not kept.get("credential"):
            kept.pop("credential", None)
        return kept


def _address(kind: str, text: str) -> tuple[str, str]:
    """The address to keep and the password that was in it. Raises ValueError with a sentence."""
    if kind == TargetKind.LOCAL:
        if not text.startswith("/"):
            raise ValueError("Write a full path, such as /var/lib.")
        return text, ""
    if kind == TargetKind.TCP:
        host_and_port(text)
        return text, ""
    schemes, sentence = _SCHEMES[TargetKind(kind)]
    try:
        parts = urlsplit(text)
        fits = parts.scheme in schemes and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(sentence)
    if kind == TargetKind.REDIS and parts.scheme == "valkey":
        parts = parts._replace(scheme="redis")
    return _without_password(parts)


def _without_password(parts: SplitResult) -> tuple[str, str]:
    if parts.password is None:
        return urlunsplit(parts), ""
    place = parts.netloc.rpartition("@")[2]
    user = f"{parts.username}@" if parts.username else ""
    return urlunsplit(parts._replace(netloc=user + place)), unquote(parts.password)
