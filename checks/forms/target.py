"""The form about a target. A secret that is typed into an address is moved to where secrets are kept."""

from typing import Any

from django import forms
from django.db.models import QuerySet

from checks.choices import TargetKind
from checks.connectors import connectors
from checks.forms.check import RESERVED
from checks.models import Target
from incidents.models import Environment, Service

_TEXT = {"class": "form-control"}
_SELECT = {"class": "form-select"}


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
    environment = forms.ModelChoiceField(
        label="Environment",
        empty_label="Choose one",
        queryset=Environment.objects.none(),
        widget=forms.Select(_SELECT),
        error_messages={"required": "Choose where it runs.", "invalid_choice": "Choose one of these environments."},
    )
    service = forms.ModelChoiceField(
        label="Service",
        empty_label="None in particular",
        queryset=Service.objects.all(),
        required=False,
        widget=forms.Select(_SELECT),
    )
    address = forms.CharField(
        label="Address",
        max_length=500,
        widget=forms.TextInput(_TEXT | {"autocomplete": "off", "spellcheck": "false"}),
        error_messages={"required": "Write where it is found."},
    )
    credential = forms.CharField(
        label="Credential",
        required=False,
        max_length=20_000,
        strip=True,
        widget=forms.Textarea(
            _TEXT | {"rows": 2, "class": "form-control mono form-secret", "autocomplete": "off", "spellcheck": "false"}
        ),
    )
    credential_expires_on = forms.DateField(
        label="It expires on",
        required=False,
        help_text="Admins are reminded on Now, 14 days before. Leave it empty if it does not expire.",
        widget=forms.DateInput(_TEXT | {"type": "date"}, format="%Y-%m-%d"),
        error_messages={"invalid": "Write the day as 2027-03-14."},
    )
    trust = forms.CharField(
        label="Trust",
        required=False,
        max_length=50_000,
        widget=forms.Textarea(_TEXT | {"rows": 2, "class": "form-control mono", "spellcheck": "false"}),
    )
    carries_shell = forms.BooleanField(
        label="Shell commands of this environment run on this host",
        required=False,
        help_text="Otherwise they run on the worker.",
        widget=forms.CheckboxInput({"class": "form-check-input"}),
    )
    enabled = forms.BooleanField(
        label="Switched on", required=False, initial=True, widget=forms.CheckboxInput({"class": "form-check-input"})
    )

    def __init__(
        self,
        *args: Any,
        environments: QuerySet[Environment],
        kind: str,
        target: Target | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.target, self.kind = target, kind
        self.connector = connectors[kind]
        self.fields["environment"].queryset = environments  # type: ignore[attr-defined]
        kept = "Kept encrypted and never shown again."
        if target is not None:
            kept += " Leave it empty to keep the one that is stored."
        self.fields["address"].help_text = self.connector.address
        self.fields["credential"].help_text = f"{self.connector.credential} {kept}"
        self.fields["trust"].help_text = self.connector.trust
        for name in self._not_asked():
            del self.fields[name]

    def _not_asked(self) -> set[str]:
        """The fields that this kind, or this target, has no use for."""
        found = {name for name in ("credential", "trust") if not getattr(self.connector, name)}
        if "credential" in found:
            found.add("credential_expires_on")
        if self.kind != TargetKind.SSH:
            found.add("carries_shell")
        if self.target is not None:
            found.add("name")
            if self.target.setting:
                found |= {"address", "credential", "credential_expires_on", "trust"}
        return found

    @staticmethod
    def of(target: Target) -> dict[str, Any]:
        """Initial values; the credential is not among them."""
        names = "label environment service address credential_expires_on trust carries_shell enabled".split()
        return {name: getattr(target, name) for name in names}

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if name in RESERVED or Target.objects.filter(name=name).exists():
            raise forms.ValidationError("Another target has this name; choose one that is free.")
        return name

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if given.get("address"):
            try:
                given["address"], inside = self.connector.clean(given["address"])
            except ValueError as error:
                self.add_error("address", str(error))
            else:
                if inside:
                    given["credential"] = given.get("credential") or inside
        if given.get("carries_shell") and given.get("environment"):
            others = given["environment"].targets.filter(carries_shell=True)
            if other := others.exclude(pk=self.target.pk if self.target else None).first():
                self.add_error("carries_shell", f"They run on {other.label} already; take it away there first.")
        return given

    def values(self) -> dict[str, Any]:
        """What to keep, by the names of the target's columns; an empty credential keeps the stored one."""
        kept = dict(self.cleaned_data)
        if self.target is None:
            kept["kind"] = self.kind
        if self.target is not None and not kept.get("credential"):
            kept.pop("credential", None)
        return kept
