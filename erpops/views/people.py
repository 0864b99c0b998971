"""The people page: who may sign in, and with which roles."""

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.forms import PasswordChangeForm
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_POST

from erpops import access, people
from erpops.htmx import HtmxRequest

_WHAT = {
    access.OPERATOR: "Works incidents and runs commands.",
    access.LEAD: "Also approves destructive commands and publishes reviews.",
    access.ADMIN: "Edits runbooks, escalation, sources and people; runs nothing.",
    access.STAKEHOLDER: "Reads the status page only.",
}


class PersonForm(forms.Form):
    """A new account."""

    username = forms.CharField(max_length=150, label="User name", error_messages={"required": "Choose a user name."})
    name = forms.CharField(max_length=150, required=False, label="Full name")
    email = forms.EmailField(required=False, label="E-mail address")
    roles = forms.MultipleChoiceField(
        choices=[(role, access.ROLE_LABELS[role]) for role in access.ROLES],
        error_messages={"required": "Choose at least one role."},
    )


class RolesForm(forms.Form):
    """The roles of an account."""

    roles = forms.MultipleChoiceField(choices=[(role, access.ROLE_LABELS[role]) for role in access.ROLES])


@require_GET
@access.needs("edit_people")
def show(request: HtmxRequest) -> HttpResponse:
    """All accounts."""
    return _page(request)


def _page(request: HtmxRequest, *, form: PersonForm | None = None, code: int = 200, **more: Any) -> HttpResponse:
    rows = []
    for user in people.everybody():
        held = {group.name for group in user.groups.all()}
        rows.append(
            {"user": user, "roles": [(role, label, role in held) for role, label in access.ROLE_LABELS.items()]}
        )
    form = form or PersonForm()
    chosen = form["roles"].value() or []
    context = {
        "rows": rows,
        "form": form,
        "roles": [
            {"role": role, "label": label, "what": _WHAT[role], "chosen": role in chosen}
            for role, label in access.ROLE_LABELS.items()
        ],
        **more,
    }
    return render(request, "people/page.html", context, status=code)


@require_POST
@access.needs("edit_people")
def add(request: HtmxRequest) -> HttpResponse:
    """Add somebody; the page that answers shows the first password, once."""
    form = PersonForm(request.POST)
    if form.is_valid():
        asked = form.cleaned_data
        try:
            user, password = people.add(
                username=asked["username"],
                name=asked["name"],
                email=asked["email"],
                roles=set(asked["roles"]),
                by=request.user,
            )
            return _page(request, shown_for=user, password=password)
        except people.Refused as error:
            form.add_error("username", str(error))
    return _page(request, form=form, code=422)


@require_POST
@access.needs("edit_people")
def roles(request: HtmxRequest, pk: int) -> HttpResponse:
    """Set somebody's roles."""
    user, form = people.get_person(pk), RolesForm(request.POST)
    if not form.is_valid():
        return _page(
            request, trouble="Choose at least one role; to keep somebody out, deactivate the account.", code=422
        )
    return _changed(
        request, lambda: people.set_roles(user=user, roles=set(form.cleaned_data["roles"]), by=request.user)
    )


@require_POST
@access.needs("edit_people")
def active(request: HtmxRequest, pk: int) -> HttpResponse:
    """Deactivate an account, or take it back."""
    user, wanted = people.get_person(pk), request.POST.get("active") == "1"
    return _changed(request, lambda: people.set_active(user=user, active=wanted, by=request.user))


@require_POST
@access.needs("edit_people")
def password(request: HtmxRequest, pk: int) -> HttpResponse:
    """A new password for somebody who lost theirs."""
    user = people.get_person(pk)
    return _page(request, shown_for=user, password=people.reset_password(user=user, by=request.user))


def _changed(request: HtmxRequest, change: Any) -> HttpResponse:
    try:
        change()
    except people.Refused as error:
        return _page(request, trouble=str(error), code=422)
    messages.success(request, "Saved.")
    return redirect("people")


@sensitive_post_parameters()
def own_password(request: HtmxRequest) -> HttpResponse:
    """Change one's own password; this session goes on, others end."""
    form = PasswordChangeForm(request.user, request.POST or None)
    for field in form.fields.values():
        field.widget.attrs["class"] = "form-control"
    if request.method == "POST" and form.is_valid():
        people.change_own_password(form=form)
        update_session_auth_hash(request, form.user)
        messages.success(request, "Your password is changed.")
        return redirect("now")
    return render(request, "people/own_password.html", {"form": form}, status=422 if form.errors else 200)
