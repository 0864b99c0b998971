"""Forms of the review."""

from typing import Any

from django import forms
from django.contrib.auth.models import User

from erpops import access
from incidents.postmortem import MAX_CHARS


class ReviewForm(forms.Form):
    """The text, and the revision that it was written over."""

    body = forms.CharField(
        max_length=MAX_CHARS,
        strip=False,
        error_messages={"required": "An empty review would throw away the draft; leave at least the headings."},
    )
    revision = forms.IntegerField(
        min_value=1, error_messages={"required": "Reload the page: the form is from an earlier version of it."}
    )

    def clean_body(self) -> str:
        return str(self.cleaned_data["body"]).replace("\r\n", "\n")


class FollowUpForm(forms.Form):
    """An action with an owner and a day."""

    title = forms.CharField(max_length=200, error_messages={"required": "Say what is to be done."})
    owner = forms.ModelChoiceField(queryset=User.objects.none(), required=False, empty_label="Nobody yet")
    due_on = forms.DateField(required=False, error_messages={"invalid": "Write the day as 2026-03-14."})

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["owner"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = access.staff()

    def clean_title(self) -> str:
        return " ".join(self.cleaned_data["title"].split())


class CommentForm(forms.Form):
    """What has to change."""

    comment = forms.CharField(
        max_length=2000, error_messages={"required": "Say what should change, so that it can be done."}
    )
