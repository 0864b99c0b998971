"""The review of an incident: the only writer of `PostMortem` and `FollowUp`.

Draft → in review → published, or back with a request for changes. Every save names the revision that
it began from, so two editors notice each other instead of overwriting.
"""

from datetime import date, timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F

from erpops import audit, clock
from erpops.clock import Now
from erpops.transitions import IllegalMove, Machine
from incidents import timeline
from incidents.choices import ReviewStatus, Severity
from incidents.drafting import draft
from incidents.models import FollowUp, Incident, PostMortem
from incidents.wording import gaps

R = ReviewStatus
STATUS = Machine(
    {
        R.DRAFT: {R.IN_REVIEW},
        R.CHANGES_REQUESTED: {R.IN_REVIEW},
        R.IN_REVIEW: {R.PUBLISHED, R.CHANGES_REQUESTED},
        R.PUBLISHED: set(),
    }
)
WRITABLE = (R.DRAFT, R.CHANGES_REQUESTED, R.IN_REVIEW)
MAX_CHARS = 200_000
_DUE = {Severity.SEV1: timedelta(hours=48), Severity.SEV2: timedelta(hours=48)}
_DUE_OTHERWISE = timedelta(days=7)


class Conflict(Exception):
    """Somebody saved since the editor was opened; `current` is what stands now."""

    def __init__(self, current: PostMortem) -> None:
        self.current = current
        super().__init__("Somebody saved this review while you were writing. Both texts are below.")


def begin(*, incident: Incident) -> PostMortem:
    """The review of a resolved incident with its first draft. One that nobody touched yet is drafted anew."""
    with transaction.atomic():
        now = clock.now()
        review, fresh = PostMortem.objects.get_or_create(
            incident=incident,
            defaults={
                "body": draft(incident),
                "created_at": now,
                "due_at": now + _DUE.get(Severity(incident.severity), _DUE_OTHERWISE),
            },
        )
        if fresh:
            timeline.add(incident=incident, kind="review.drafted", text="the review was drafted from the timeline")
        elif review.revision == 1 and review.status == R.DRAFT:
            review.body = draft(incident)
            review.save(update_fields=["body"])
    return review


def edit(*, review: PostMortem, body: str, revision: int, by: User) -> PostMortem:
    """Save `body` over `revision`. Raises `Conflict`, or `IllegalMove` once it is published."""
    with transaction.atomic():
        open_for_edit = PostMortem.objects.filter(pk=review.pk, status__in=WRITABLE)
        if open_for_edit.filter(revision=revision).exclude(body=body).update(body=body, revision=F("revision") + 1):
            target = f"incident:{review.incident_id}"
            audit.record(action="review.edit", target=target, by=by, revision=revision + 1)
        review.refresh_from_db()
    if review.body == body:
        return review
    if review.status not in WRITABLE:
        raise IllegalMove("This review is published; add a follow-up instead of changing it.")
    raise Conflict(review)


def submit(*, review: PostMortem, by: User) -> None:
    """Hand it to a team lead."""
    with transaction.atomic():
        STATUS.require(review, to=R.IN_REVIEW, author=by)
        _tell(review, "review.submitted", "handed in the review", by)


def request_changes(*, review: PostMortem, comment: str, by: User) -> None:
    """Back to its writers, with what is missing."""
    with transaction.atomic():
        STATUS.require(review, to=R.CHANGES_REQUESTED)
        _tell(review, "review.changes_requested", f"asked for changes to the review: {comment}", by)


def publish(*, review: PostMortem, by: User) -> None:
    """It is finished. Refused while a `[…]` of the draft stands in it."""
    left = gaps(review.body)
    if left:
        raise IllegalMove(f"{len(left)} places are still to be written, such as {left[0]}.")
    with transaction.atomic():
        STATUS.require(review, to=R.PUBLISHED, published_at=Now(), published_by=by)
        _tell(review, "review.published", "published the review", by)


def _tell(review: PostMortem, kind: str, text: str, by: User) -> None:
    timeline.add(incident=review.incident, kind=kind, text=text, by=by)
    audit.record(action=kind, target=f"incident:{review.incident_id}", by=by, revision=review.revision)


def add_follow_up(*, incident: Incident, title: str, owner: User | None, due_on: date | None, by: User) -> FollowUp:
    """An action that remains. The same title on the same incident is the same action."""
    with transaction.atomic():
        Incident.objects.select_for_update().get(pk=incident.pk)
        action, fresh = FollowUp.objects.get_or_create(
            incident=incident, title=title, defaults={"owner": owner, "due_on": due_on}
        )
        if fresh:
            timeline.add(incident=incident, kind="review.follow_up", text=f"added the action “{title}”", by=by)
            audit.record(action="follow_up.add", target=f"incident:{incident.pk}", by=by, title=title)
    return action


def set_follow_up_done(*, action: FollowUp, done: bool, by: User) -> None:
    """Tick it, or take the tick away."""
    with transaction.atomic():
        changed = FollowUp.objects.filter(pk=action.pk, done_at__isnull=done)
        if changed.update(done_at=Now() if done else None):
            word = "finished" if done else "took up again"
            text = f"{word} the action “{action.title}”"
            timeline.add(incident=action.incident, kind="review.follow_up", text=text, by=by)
            target = f"incident:{action.incident_id}"
            audit.record(action="follow_up.done", target=target, by=by, title=action.title, done=done)
