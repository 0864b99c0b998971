"""What people type on the runbook pages, with the sentences for what cannot be taken."""

from typing import Any

from django import forms

from runbooks.command_views import CommandView
from runbooks.walk import NOT_NEEDED, NOT_TAKEN, SKIP_REASONS


class SkipForm(forms.Form):
    """Why a step is left out; `other` asks for the reason in words."""

    reason = forms.ChoiceField(
        choices=[(name, name.capitalize()) for name in (*SKIP_REASONS, NOT_NEEDED, NOT_TAKEN)],
        error_messages={"required": "Say why you skip this step.", "invalid_choice": "Choose one of the reasons."},
    )
    words = forms.CharField(max_length=160, required=False)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("reason") == "other" and not cleaned.get("words"):
            raise forms.ValidationError("Say in a few words why you skip this step.")
        return cleaned

    @property
    def said(self) -> str:
        """The reason as it is written down."""
        reason, words = self.cleaned_data["reason"], self.cleaned_data["words"]
        if reason == "other":
            return str(words)
        return f"{reason}: {words}" if words else str(reason)


class PasteForm(forms.Form):
    """What a command printed that was run elsewhere."""

    text = forms.CharField(
        max_length=20_000,
        error_messages={
            "required": "Paste what the command printed, or say what you saw.",
            "max_length": "That is more than 20,000 characters. Keep the part that matters.",
        },
    )
    command = forms.IntegerField(min_value=0, required=False)

    def note(self, *, step: str, commands: list[CommandView]) -> str:
        """The note in Markdown: where it belongs, the command, what it printed."""
        index, text = self.cleaned_data["command"], self.cleaned_data["text"]
        shown = "".join(piece.text for piece in commands[index].pieces) if _within(index, commands) else ""
        fence = "`" * max(3, 1 + _longest_fence(shown + text))
        asked = f"{fence}\n{shown}\n{fence}\n" if shown else ""
        return f"{step}: run elsewhere.\n\n{asked}\n{fence}\n{text}\n{fence}"


def _within(index: int | None, commands: list[CommandView]) -> bool:
    return index is not None and index < len(commands)


def _longest_fence(text: str) -> int:
    longest = run = 0
    for char in text:
        run = run + 1 if char == "`" else 0
        longest = max(longest, run)
    return longest
