"""What people may say about who is called: rows of the matrix, contacts, ways to reach them."""

import re
from typing import Any

from django import forms
from django.contrib.auth.models import User

from erpops.templatetags.words import duration
from incidents import ladder
from incidents.channels import channels
from incidents.models import Contact, SeverityRule
from incidents.policy import RuleValues

LEVELS_SHOWN, LEVELS_MOST = 3, 8
_SHORTEST_S, _LONGEST_S = 60, 30 * 86400
_UNITS = {"s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "hour": 3600, "hours": 3600, "d": 86400, "day": 86400}
_UNITS |= {"days": 86400, "minute": 60, "minutes": 60}
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]+)\s*")


def parse_duration(text: str) -> int | None:
    """Seconds in `5 min`, `1 h 30 min`, `1d`; None for anything else."""
    rest, total = text.strip().lower(), 0.0
    if not rest:
        return None
    while rest:
        part = _PART.match(rest)
        if part is None or part[2] not in _UNITS:
            return None
        total += float(part[1]) * _UNITS[part[2]]
        rest = rest[part.end() :]
    return round(total)


class DurationField(forms.CharField):
    """A duration as people write it; the value is whole seconds."""

    widget = forms.TextInput(attrs={"class": "form-control", "autocomplete": "off"})

    def prepare_value(self, value: Any) -> Any:
        return duration(value) if isinstance(value, int) else value

    def clean(self, value: Any) -> Any:
        seconds = parse_duration(super().clean(value))
        if seconds is None:
            raise forms.ValidationError("Write a duration such as 5 min, 1 h or 1 d.")
        if not _SHORTEST_S <= seconds <= _LONGEST_S:
            raise forms.ValidationError("Choose between 1 min and 30 d.")
        return seconds


class RuleForm(forms.Form):
    """One row of the matrix. Levels are groups of contacts; empty ones are dropped."""

    version = forms.IntegerField(widget=forms.HiddenInput)
    meaning = forms.CharField(
        max_length=200, required=False, label="What it means", widget=forms.TextInput(attrs={"class": "form-control"})
    )
    respond_within_s = DurationField(label="Respond within", help_text="Then the next level is called.")
    escalate_after_s = DurationField(
        label="Escalate after", help_text="Not resolved by then, the next level is called although someone took it."
    )
    accept_gaps = forms.BooleanField(
        required=False,
        label="Save it all the same: a level may have nobody who can be reached",
        widget=forms.CheckboxInput(attrs={"class": "form-check-input"}),
    )

    def __init__(self, *args: Any, levels: list[list[int]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        present = {pk for level in levels for pk in level}
        contacts = Contact.objects.filter(active=True) | Contact.objects.filter(pk__in=present)
        self.level_names = []
        for number in range(1, min(max(LEVELS_SHOWN, len(levels) + 1), LEVELS_MOST) + 1):
            name = f"level_{number}"
            self.level_names.append(name)
            self.fields[name] = forms.ModelMultipleChoiceField(
                contacts.distinct(),
                required=False,
                label=f"Level {number}",
                initial=levels[number - 1] if number <= len(levels) else [],
                widget=forms.CheckboxSelectMultiple,
            )

    @classmethod
    def of(cls, rule: SeverityRule, data: Any = None) -> "RuleForm":
        """The form for `rule` as it is."""
        initial = {
            "version": rule.policy.version,
            "meaning": rule.meaning,
            "respond_within_s": rule.respond_within_s,
            "escalate_after_s": rule.escalate_after_s,
        }
        levels = [[entry["id"] for entry in level] for level in ladder.levels(rule.policy, rule.severity)]
        return cls(data, initial=initial, levels=levels)

    @property
    def level_fields(self) -> list[forms.BoundField]:
        """The levels alone, for the template."""
        return [self[name] for name in self.level_names]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        respond, escalate = cleaned.get("respond_within_s"), cleaned.get("escalate_after_s")
        if respond and escalate and escalate < respond:
            self.add_error("escalate_after_s", "This must not be shorter than the time to respond.")
        if not cleaned.get("accept_gaps"):
            self._refuse_gaps(cleaned)
        return cleaned

    def _refuse_gaps(self, cleaned: dict[str, Any]) -> None:
        chosen = {name: list(cleaned.get(name) or ()) for name in self.level_names}
        if not any(chosen.values()):
            self.add_error("level_1", "Nobody would be called. Choose who is called first.")
        people = ladder.people([contact.pk for contacts in chosen.values() for contact in contacts])
        for name, contacts in chosen.items():
            if contacts and all(people[contact.pk].trouble for contact in contacts):
                why = ", ".join(f"{contact.name} – {people[contact.pk].trouble}" for contact in contacts)
                self.add_error(name, f"Nobody here can be reached ({why}). Fix that, or tick the box below.")

    def values(self) -> RuleValues:
        """What `policy.save_rule` takes."""
        data = self.cleaned_data
        return {
            "meaning": data["meaning"],
            "respond_within_s": data["respond_within_s"],
            "escalate_after_s": data["escalate_after_s"],
            "levels": [[contact.pk for contact in data[name]] for name in self.level_names],
        }


class ContactForm(forms.Form):
    """A person or a team that can be called."""

    name = forms.CharField(
        max_length=80,
        widget=forms.TextInput(attrs={"class": "form-control", "autocomplete": "off"}),
        error_messages={"required": "Give the contact a name."},
    )
    role = forms.CharField(
        max_length=80,
        required=False,
        widget=forms.TextInput(attrs={"class": "form-control"}),
        help_text="For example DevOps Lead.",
    )
    user = forms.ModelChoiceField(
        User.objects.filter(is_active=True).order_by("username"),
        required=False,
        empty_label="No account",
        label="Account",
        help_text="Whose contact this is: when the account is disabled, it is no longer called.",
        widget=forms.Select(attrs={"class": "form-select"}),
    )


class MethodForm(forms.Form):
    """A way to reach a contact."""

    channel = forms.ChoiceField(label="By", widget=forms.Select(attrs={"class": "form-select"}))
    address = forms.CharField(
        max_length=2000,
        label="Address or URL",
        help_text="A mail address, or the URL of a Slack or other webhook. URLs are stored encrypted, never shown.",
        widget=forms.TextInput(attrs={"class": "form-control", "autocomplete": "off"}),
        error_messages={"required": "Write the address."},
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["channel"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [(name, channel.label) for name, channel in channels.items()]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        channel = channels.get(cleaned.get("channel", ""))
        wrong = channel.validate(cleaned["address"]) if channel and "address" in cleaned else None
        if wrong:
            self.add_error("address", wrong)
        return cleaned
