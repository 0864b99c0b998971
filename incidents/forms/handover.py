"""What a handover says."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib.auth.models import User

from incidents.handover import MOST_CHARS, PARTS


class HandoverForm(forms.Form):
    """To whom, and a field per part; only the receiver is required."""

    receiver = forms.ChoiceField(
        label="Who takes over",
        widget=forms.Select(attrs={"class": "form-select"}),
        error_messages={
            "required": "Choose who takes over.",
            "invalid_choice": "This person cannot take over here; choose somebody from the list.",
        },
    )

    def __init__(self, *args: Any, people: Sequence[User], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._people = {str(user.pk): user for user in people}
        field = self.fields["receiver"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [("", "Choose…")] + [
            (pk, user.get_full_name() or user.get_username()) for pk, user in self._people.items()
        ]
        for name, label in PARTS.items():
            rows = 2 if name in {"next_step", "next_update", "approvals"} else 3
            widget = forms.Textarea(attrs={"class": "form-control", "rows": rows, "maxlength": MOST_CHARS})
            self.fields[name] = forms.CharField(required=False, label=label, max_length=MOST_CHARS, widget=widget)

    @property
    def chosen(self) -> User:
        """The person chosen, once valid."""
        return self._people[self.cleaned_data["receiver"]]

    @property
    def parts(self) -> list[forms.BoundField]:
        """The fields of the parts, in order."""
        return [self[name] for name in PARTS]
