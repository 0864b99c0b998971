"""The form for a new sender of alerts."""

from typing import Any

from django import forms

from incidents import sources
from incidents.access import visible_environments
from incidents.models import Environment


class SourceForm(forms.Form):
    """A new sender."""

    name = forms.CharField(
        max_length=80, error_messages={"required": "Give it a name, such as Alertmanager production."}
    )
    kind = forms.ChoiceField(choices=[(kind, sources.KIND_LABELS[kind]) for kind in sources.parsers])
    environment = forms.ModelChoiceField(
        queryset=Environment.objects.none(), required=False, empty_label="As its alerts say"
    )

    def __init__(self, *args: Any, user: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["environment"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = visible_environments(user)
        for shown in self.fields.values():
            shown.widget.attrs["class"] = "form-select" if isinstance(shown, forms.ChoiceField) else "form-control"
