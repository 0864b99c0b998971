"""Forms about checks. Their errors are sentences that say what to write."""

from typing import Any

from django import forms

from checks.models import Check, Target
from checks.probes import BadOptions, Probe
from checks.schedule import MUTE_CHOICES
from incidents.choices import Severity

RESERVED = {"new", "targets", "board"}
_TEXT = {"class": "form-control"}
_SELECT = {"class": "form-select"}
_NUMBER = {"class": "form-control num", "step": "any"}


def number(label: str, *, help_text: str = "") -> forms.FloatField:
    """An optional threshold."""
    return forms.FloatField(
        label=label,
        required=False,
        help_text=help_text,
        widget=forms.NumberInput(_NUMBER),
        error_messages={"invalid": "Write a number, such as 85 or 0.5."},
    )


def whole(label: str, *, least: int, most: int, initial: int, help_text: str = "") -> forms.IntegerField:
    """A whole number between two bounds."""
    wrong = f"Write a whole number from {least} to {most}."
    return forms.IntegerField(
        label=label,
        min_value=least,
        max_value=most,
        initial=initial,
        help_text=help_text,
        widget=forms.NumberInput({"class": "form-control num"}),
        error_messages={"invalid": wrong, "min_value": wrong, "max_value": wrong, "required": wrong},
    )


class ThresholdsForm(forms.Form):
    """When a value is bad, and how often it must be."""

    warning_at = number("Warning at", help_text="Empty means no warnings.")
    critical_at = number("Critical at", help_text="Empty means that only a failed probe is critical.")
    rising = forms.TypedChoiceField(
        label="Bad values are",
        choices=[("1", "At or above the threshold"), ("0", "At or below the threshold")],
        coerce=lambda value: value == "1",
        initial="1",
        widget=forms.Select(_SELECT),
    )
    bad_needed = whole("Bad measurements in a row that raise", least=1, most=20, initial=2)
    good_needed = whole("Good measurements in a row that end it", least=1, most=20, initial=2)

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        warning, critical = given.get("warning_at"), given.get("critical_at")
        if warning is not None and critical is not None:
            rising = given.get("rising", True)
            if (critical < warning) if rising else (critical > warning):
                order = "at or above" if rising else "at or below"
                self.add_error("critical_at", f"Critical must be {order} the warning threshold of {warning:g}.")
        return given

    @staticmethod
    def of(check: Check) -> dict[str, Any]:
        """Initial values."""
        limits = {name: _plain(getattr(check, name)) for name in ("warning_at", "critical_at")}
        needed = {name: getattr(check, name) for name in ("bad_needed", "good_needed")}
        return {**limits, **needed, "rising": "1" if check.rising else "0"}


def _plain(value: float | None) -> float | int | None:
    """70 rather than 70.0 in a field."""
    return int(value) if value is not None and value == int(value) else value


class CheckForm(ThresholdsForm):
    """A whole check, with the options of its probe as fields of their own."""

    label = forms.CharField(
        label="What it tells",
        max_length=80,
        help_text="Such as “Connections in use”.",
        widget=forms.TextInput(_TEXT),
        error_messages={"required": "Say what this check tells, in a few words."},
    )
    name = forms.SlugField(
        label="Short name",
        max_length=60,
        help_text="Used in addresses and labels; it cannot be changed later.",
        widget=forms.TextInput(_TEXT),
        error_messages={
            "required": "Give it a short name, such as orders-latency.",
            "invalid": "Use letters, digits, hyphens and underscores only.",
        },
    )
    interval_s = whole("Seconds between measurements", least=10, most=86_400, initial=30)
    timeout_s = whole("Seconds until a probe has failed", least=1, most=60, initial=10)
    alert_name = forms.CharField(
        label="Alert name",
        max_length=100,
        help_text="Runbooks are found by this name.",
        widget=forms.TextInput(_TEXT),
        error_messages={"required": "Name the alert that it raises, such as OrdersSlow."},
    )
    severity = forms.ChoiceField(
        label="Severity when critical",
        choices=Severity.choices,
        initial=Severity.SEV3,
        help_text="A warning is one step lower.",
        widget=forms.Select(_SELECT),
    )
    enabled = forms.BooleanField(
        label="Switched on", required=False, initial=True, widget=forms.CheckboxInput({"class": "form-check-input"})
    )

    def __init__(self, *args: Any, probe: Probe, check: Check | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.probe, self.check = probe, check
        for option in probe.options:
            self.fields[f"option_{option.name}"] = _option_field(
                option.label, option.help, option.default, option.choices
            )
        if check is not None:
            del self.fields["name"]
        self.order_fields(["label", "name", *(f"option_{option.name}" for option in probe.options)])

    @staticmethod
    def of(check: Check) -> dict[str, Any]:
        names = ("label", "interval_s", "timeout_s", "alert_name", "severity", "enabled")
        options = {f"option_{name}": value for name, value in check.options.items()}
        return ThresholdsForm.of(check) | {name: getattr(check, name) for name in names} | options

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if name in RESERVED or Check.objects.filter(name=name).exists():
            raise forms.ValidationError("Another check has this name; choose one that is free.")
        return name

    def clean(self) -> dict[str, Any]:
        given = super().clean()
        if (given.get("interval_s") or 0) and (given.get("timeout_s") or 0) > given["interval_s"]:
            self.add_error("timeout_s", "A probe must end before the next one is due: write at most the interval.")
        asked = {
            option.name: given.get(f"option_{option.name}") or ""
            for option in self.probe.options
            if f"option_{option.name}" not in self.errors
        }
        try:
            given["options"] = self.probe.clean(asked)
        except BadOptions as error:
            for option_name, sentence in error.sentences.items():
                self.add_error(f"option_{option_name}", sentence)
        return given

    def values(self) -> dict[str, Any]:
        """What to keep, by the names of the check's columns."""
        return {name: value for name, value in self.cleaned_data.items() if not name.startswith("option_")}


def _option_field(label: str, help_text: str, default: str, choices: tuple[tuple[str, str], ...]) -> forms.Field:
    if choices:
        return forms.ChoiceField(
            label=label, help_text=help_text, choices=choices, initial=default, widget=forms.Select(_SELECT)
        )
    return forms.CharField(
        label=label,
        help_text=help_text,
        initial=default,
        max_length=300,
        required=False,
        widget=forms.TextInput(_TEXT),
    )


class MuteForm(forms.Form):
    """For how long; there is no mute without an end."""

    for_s = forms.TypedChoiceField(
        label="Mute for",
        choices=MUTE_CHOICES,
        coerce=int,
        initial=3600,
        widget=forms.Select(_SELECT),
        error_messages={"invalid_choice": "Choose how long it is muted.", "required": "Choose how long it is muted."},
    )


def targets_with_probes(targets: list[Target], probes: list[tuple[str, Probe]]) -> list[dict[str, Any]]:
    """What each target can be measured with."""
    return [
        {
            "target": target,
            "probes": [{"name": name, "label": probe.label} for name, probe in probes if target.kind in probe.kinds],
        }
        for target in targets
    ]
