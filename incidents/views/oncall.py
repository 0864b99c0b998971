"""The on-call page: who is called next, the severity matrix, contacts and how they are reached."""

from typing import Any

from django.conf import settings
from django.core import signing
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from erpops import access
from erpops.htmx import HtmxRequest, page
from incidents import matrix, notify, policy
from incidents.channels import channels
from incidents.forms.oncall import ContactForm, MethodForm, RuleForm
from incidents.ladder import default_policy
from incidents.models import ContactMethod
from incidents.policy import Refused
from incidents.queries import name_of
from incidents.views.answers import done, refused, sheet

_CHANGED = "live:oncall"
_SALT = "oncall.confirm"


@require_GET
@access.needs("see_console")
def index(request: HtmxRequest) -> HttpResponse:
    """The page; `severity` in the query picks the simulated one."""
    default = default_policy()
    contacts, may_edit = matrix.contacts(), access.can(request.user, "edit_escalation")
    rows = matrix.matrix(default, contacts) if default else []
    asked = request.GET.get("severity", "")
    picked = next((row for row in rows if row.severity == asked), rows[0] if rows else None)
    unanswered, taken = matrix.foretold(picked) if picked else ([], [])
    context = {
        "policy": default,
        "rows": rows,
        "gaps": sum(row.gaps for row in rows),
        "picked": picked,
        "unanswered": unanswered,
        "taken": taken,
        "contacts": contacts,
        "mail_to_files": matrix.mail_goes_nowhere(contacts),
        "may_edit": may_edit,
        "may_edit_contacts": access.can(request.user, "edit_contacts"),
        "editors": access.roles_with("edit_escalation"),
        "admins": [] if may_edit else [name_of(user) for user in access.people_with_role(access.ADMIN)],
    }
    return page(request, "incidents/oncall/page.html", "incidents/oncall/page_part.html", context)


@require_http_methods(["GET", "POST"])
@access.needs("edit_escalation")
def rule(request: HtmxRequest, severity: str) -> HttpResponse:
    """One row of the matrix, to change."""
    row = matrix.get_rule(severity)
    form = RuleForm.of(row, request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            policy.save_rule(
                policy=row.policy,
                severity=severity,
                values=form.values(),
                seen_version=form.cleaned_data["version"],
                by=request.user,
            )
        except Refused as why:
            form.add_error(None, str(why))
        else:
            return done(request, reverse("oncall"), said=f"{severity} saved.", trigger=_CHANGED, sheet=True)
    context = {"form": form, "rule": row, "sheet_title": f"{severity}"}
    return sheet(request, "incidents/oncall/rule_sheet.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "POST"])
@access.needs("edit_contacts")
def contact_new(request: HtmxRequest) -> HttpResponse:
    """Add a contact; its sheet follows, to say how it is reached."""
    form = ContactForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            made = policy.save_contact(contact=None, **form.cleaned_data, by=request.user)
        except Refused as why:
            form.add_error("name", str(why))
        else:
            return _contact_again(request, made.pk)
    context = {"form": form, "sheet_title": "Add a contact"}
    return sheet(request, "incidents/oncall/contact_new_sheet.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "POST"])
@access.needs("edit_contacts")
def contact(request: HtmxRequest, pk: int) -> HttpResponse:
    """A contact and the ways to reach it; a POST changes its name, role and account."""
    row = matrix.contact_row(pk)
    if request.method == "GET":
        return _contact_sheet(request, pk)
    form = ContactForm(request.POST)
    if form.is_valid():
        try:
            policy.save_contact(contact=row.contact, **form.cleaned_data, by=request.user)
        except Refused as why:
            form.add_error("name", str(why))
        else:
            return done(request, reverse("oncall"), said="Contact saved.", trigger=_CHANGED, sheet=True)
    return _contact_sheet(request, pk, form=form, status=422)


@require_POST
@access.needs("edit_contacts")
def contact_active(request: HtmxRequest, pk: int) -> HttpResponse:
    """Deactivate a contact, or put it back."""
    policy.set_active(contact=matrix.contact_row(pk).contact, active=request.POST.get("active") == "1", by=request.user)
    return _contact_again(request, pk)


@require_POST
@access.needs("edit_contacts")
def contact_delete(request: HtmxRequest, pk: int) -> HttpResponse:
    """Delete a contact that no ladder names."""
    try:
        policy.delete_contact(contact=matrix.contact_row(pk).contact, by=request.user)
    except Refused as why:
        return refused(request, str(why), reverse("oncall_contact", args=[pk]))
    return done(request, reverse("oncall"), said="Contact deleted.", trigger=_CHANGED, sheet=True)


@require_POST
@access.needs("edit_contacts")
def method_add(request: HtmxRequest, pk: int) -> HttpResponse:
    """Add a way to reach a contact. A signing secret is shown in the answer, and never again."""
    row = matrix.contact_row(pk)
    form = MethodForm(request.POST)
    if not form.is_valid():
        return _contact_sheet(request, pk, method_form=form, status=422)
    before = {method.pk for method in row.methods}
    try:
        made = policy.add_method(contact=row.contact, **form.cleaned_data, by=request.user)
    except Refused as why:
        form.add_error("address", str(why))
        return _contact_sheet(request, pk, method_form=form, status=422)
    if made.secret and made.pk not in before:
        return _contact_sheet(request, pk, secret=made.secret)
    return _contact_again(request, pk)


@require_POST
@access.needs("edit_contacts")
def method_remove(request: HtmxRequest, pk: int) -> HttpResponse:
    """Take a way to reach someone away."""
    method = matrix.get_method(pk)
    policy.remove_method(method=method, by=request.user)
    return _contact_again(request, method.contact_id)


@require_POST
@access.needs("edit_contacts")
def method_first(request: HtmxRequest, pk: int) -> HttpResponse:
    """Pages go there first."""
    method = matrix.get_method(pk)
    policy.prefer_method(method=method, by=request.user)
    return _contact_again(request, method.contact_id)


@require_POST
@access.needs("edit_contacts")
def method_test(request: HtmxRequest, pk: int) -> HttpResponse:
    """Send a test; its fate shows in the row."""
    method = matrix.get_method(pk)
    channel = channels.get(method.channel)
    token = signing.dumps(method.pk, salt=_SALT)
    link = "" if channel and channel.answers else settings.PUBLIC_URL + reverse("oncall_confirm", args=[token])
    context = {"contact": method.contact.name, "confirm_link": link}
    nonce = request.POST.get("nonce", "")[:64]
    notify.queue_test(method=method, by=request.user, nonce=nonce, context=context)
    if not request.htmx:
        return done(request, reverse("oncall_contact", args=[method.contact_id]), said="The test is on its way.")
    return _method_row(request, method)


@require_GET
@access.needs("edit_contacts")
def method_row(request: HtmxRequest, pk: int) -> HttpResponse:
    """One row, asked again while a test is on its way."""
    return _method_row(request, matrix.get_method(pk))


@require_http_methods(["GET", "POST"])
@access.needs("see_console")
def confirm(request: HtmxRequest, token: str) -> HttpResponse:
    """The link in a test message: whoever reads it says that it arrived."""
    try:
        method = matrix.get_method(int(signing.loads(token, salt=_SALT, max_age=7 * 86400)))
    except (signing.BadSignature, ValueError) as error:
        raise Http404("This link is too old, or was cut. Send another test.") from error
    if request.method == "POST":
        policy.confirm_method(method=method, by=request.user)
        return done(request, reverse("oncall"), said=f"{method.contact.name} can be reached.", trigger=_CHANGED)
    return render(
        request, "incidents/oncall/confirm.html", {"method": matrix.method_row(method), "contact": method.contact}
    )


def _method_row(request: HtmxRequest, method: ContactMethod) -> HttpResponse:
    row = matrix.method_row(method)
    response = render(request, "incidents/oncall/method.html", {"method": row})
    if not row.pending:
        response.headers["HX-Trigger"] = _CHANGED
    return response


def _contact_again(request: HtmxRequest, pk: int) -> HttpResponse:
    if not request.htmx:
        return done(request, reverse("oncall_contact", args=[pk]))
    return _contact_sheet(request, pk)


def _contact_sheet(request: HtmxRequest, pk: int, *, status: int = 200, **given: Any) -> HttpResponse:
    row = matrix.contact_row(pk)
    initial = {"name": row.contact.name, "role": row.contact.role, "user": row.contact.user}
    context = {
        "row": row,
        "form": ContactForm(initial=initial),
        "method_form": MethodForm(auto_id="method_%s"),
        "sheet_title": row.contact.name,
        **given,
    }
    response = sheet(request, "incidents/oncall/contact_sheet.html", context, status=status)
    if request.method == "POST" and status == 200:
        response.headers["HX-Trigger"] = _CHANGED
    return response
