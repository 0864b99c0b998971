"""Who hears of an approval outside the console: a silent notice to the contacts of those who could answer.

The list of what waits (`runbooks.needs`) and the live pages are the way that always works; this is beside it. Where
the glass was broken, every lead and admin hears of it.
"""

from collections.abc import Iterable

from django.conf import settings
from django.contrib.auth.models import User

from erpops import access
from incidents import ladder, notify
from incidents.choices import MessageKind
from incidents.models import Contact
from runbooks.models import Approval


def asked(approval: Approval) -> None:
    """Tell the leads who could answer that somebody waits for them; in the transaction of the question."""
    _send(approval, "asked", [lead for lead in access.people_with_role(access.LEAD) if _may(approval, lead)])


def answered(approval: Approval) -> None:
    """Tell whoever asked that it may run now."""
    _send(approval, "answered", [approval.requested_by])


def glass_broken(approval: Approval) -> None:
    """Tell every other lead and admin that something was destroyed without a second pair of eyes."""
    people = {user.pk: user for role in (access.LEAD, access.ADMIN) for user in access.people_with_role(role)}
    _send(approval, "glass", [user for user in people.values() if user.pk != approval.requested_by_id])


def _may(approval: Approval, lead: User) -> bool:
    return lead.pk not in {approval.requested_by_id, *approval.authors}


def _send(approval: Approval, what: str, people: Iterable[User]) -> None:
    execution = approval.step_run.execution
    asker, decider = approval.requested_by, approval.decided_by
    context = {
        "what": what,
        "approval": approval,
        "execution": execution,
        "asker": asker.get_full_name() or asker.get_username(),
        "decider": (decider.get_full_name() or decider.get_username()) if decider else "",
        "link": f"{settings.PUBLIC_URL}/approvals/{approval.pk}/",
    }
    contacts = Contact.objects.filter(active=True, user__in=[person.pk for person in people]).prefetch_related(
        "methods"
    )
    for contact in contacts.select_related("user"):
        if method := ladder.first_method(contact):
            subject, body = notify.render(method.channel, "approval", context)
            notify.queue(
                kind=MessageKind.NOTICE,
                method=method,
                idem_key=notify.key_of("approval", approval.pk, what, method.pk),
                subject=subject,
                body=body,
                incident=execution.incident,
            )
