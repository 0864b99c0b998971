"""The status composer's form."""

from typing import Any

from django import forms

from incidents.choices import Audience, UpdatePhase


class UpdateForm(forms.Form):
    """Audience, phase, words and the time of the next word."""

    audience = forms.ChoiceField(choices=Audience.choices, initial=Audience.STAKEHOLDERS, widget=forms.RadioSelect)
    phase = forms.ChoiceField(choices=UpdatePhase.choices)
    headline = forms.CharField(
        max_length=120, error_messages={"required": "Write a headline: what users notice, in a few words."}
    )
    body = forms.CharField(
        max_length=4000, error_messages={"required": "Write the text: what users notice and what happens next."}
    )
    next_in = forms.IntegerField(
        required=False,
        min_value=5,
        max_value=1440,
        error_messages={
            "invalid": "Write the minutes until the next update as a number.",
            "min_value": "The next update comes in 5 minutes at the earliest.",
            "max_value": "Do not leave people without a word for longer than a day (1440 minutes).",
        },
    )
    anyway = forms.BooleanField(required=False)

    def clean_headline(self) -> str:
        return " ".join(self.cleaned_data["headline"].split())

    def clean_body(self) -> str:
        return str(self.cleaned_data["body"]).replace("\r\n", "\n").strip()

    def words(self) -> dict[str, Any]:
        """Audience and text as typed so far, also while the form is not valid yet."""
        asked = self.cleaned_data
        return {
            "audience": asked.get("audience") or Audience.STAKEHOLDERS,
            "headline": asked.get("headline") or "",
            "body": asked.get("body") or "",
            "anyway": bool(asked.get("anyway")),
        }
