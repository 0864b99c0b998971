"""What people may say about an incident. Fields are listed one by one: nothing else can be set from outside."""

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.contrib.auth.models import User

from erpops import clock
from incidents.access import visible_environments
from incidents.choices import Severity
from incidents.markdown import without_controls
from incidents.models import Environment, Service

_FAR_BACK = timedelta(days=30)


def _input(kind: type[forms.Widget] = forms.TextInput, **attrs: Any) -> forms.Widget:
    css = "form-select" if issubclass(kind, forms.Select) else "form-control"
    return kind(attrs={"class": css, **attrs})


def _moment() -> forms.DateTimeField:
    return forms.DateTimeField(
        required=False,
        widget=_input(forms.DateTimeInput, type="datetime-local"),
        error_messages={"invalid": "Write a date and a time, such as 2026-03-14 02:05."},
    )


def _not_later(value: datetime | None) -> datetime | None:
    """A time in the past, at most a month back."""
    if value is None:
        return None
    now = clock.now()
    if value > now + timedelta(minutes=1):
        raise forms.ValidationError("That is in the future; say when it began, or leave it empty.")
    if value < now - _FAR_BACK:
        raise forms.ValidationError("That is more than 30 days ago; check the date.")
    return value


class DeclareForm(forms.Form):
    """Two fields are required; the rest can be added later."""

    title = forms.CharField(
        max_length=200,
        label="What is wrong",
        widget=_input(placeholder="Checkout answers with errors", autofocus=True, autocomplete="off"),
        error_messages={"required": "Say in a few words what is wrong."},
    )
    severity = forms.ChoiceField(
        choices=Severity.choices,
        widget=forms.RadioSelect,
        error_messages={"required": "Choose how bad it is; it can be changed at any time."},
    )
    environment = forms.ModelChoiceField(
        Environment.objects.none(), empty_label=None, label="Where", widget=_input(forms.Select)
    )
    service = forms.ModelChoiceField(
        Service.objects.all(), required=False, empty_label="Not sure", widget=_input(forms.Select)
    )
    impact = forms.CharField(
        required=False,
        max_length=2000,
        label="What users see",
        widget=_input(forms.Textarea, rows=3, **{"data-draft": "declare"}),
    )
    started_at = _moment()

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user
        field = self.fields["environment"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = visible_environments(user)
        self.fields["started_at"].label = "Began earlier"
        self.fields["started_at"].help_text = "Times are UTC. Empty means now."

    def clean_title(self) -> str:
        return " ".join(self.cleaned_data["title"].split())

    def clean_started_at(self) -> datetime | None:
        return _not_later(self.cleaned_data["started_at"])


class NoteForm(forms.Form):
    """A note in Markdown, now or at an earlier time."""

    text = forms.CharField(
        max_length=20_000,
        label="Note",
        widget=_input(forms.Textarea, rows=2, placeholder="What you saw, did or decided"),
        error_messages={
            "required": "Write something first.",
            "max_length": "A note holds 20,000 characters; attach longer output to a step instead.",
        },
    )
    occurred_at = _moment()

    def clean_text(self) -> str:
        return without_controls(self.cleaned_data["text"])

    def clean_occurred_at(self) -> datetime | None:
        return _not_later(self.cleaned_data["occurred_at"])


class SeverityForm(forms.Form):
    """The new severity."""

    severity = forms.ChoiceField(
        choices=Severity.choices,
        widget=forms.RadioSelect,
        error_messages={"required": "Choose a severity.", "invalid_choice": "There are SEV1 to SEV4."},
    )


class ReasonForm(forms.Form):
    """Why: what fixed it, or why it is not over."""

    reason = forms.CharField(
        max_length=2000,
        widget=_input(forms.Textarea, rows=3),
        error_messages={"required": "Say it in a sentence; it stands in the review."},
    )
