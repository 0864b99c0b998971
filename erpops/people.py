"""Accounts and roles: the only writer of both. Every change is audited."""

import secrets

from django.contrib.auth.forms import PasswordChangeForm
from django.contrib.auth.models import Group, User
from django.contrib.auth.validators import UnicodeUsernameValidator
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.http import Http404

from erpops import access, audit

# Without look-alikes: it is read aloud and typed by hand.
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"


class Refused(Exception):
    """It would leave the console without an admin, or is not possible; the message says so."""


def everybody() -> list[User]:
    """All accounts with their groups, active ones first."""
    return list(User.objects.prefetch_related("groups").order_by("-is_active", "username"))


def get_person(pk: int) -> User:
    """The account, or 404."""
    user = User.objects.filter(pk=pk).first()
    if user is None:
        raise Http404("There is no such account.")
    return user


def add(*, username: str, name: str, email: str, roles: set[str], by: User) -> tuple[User, str]:
    """A new account and its first password, which is shown this once."""
    try:
        UnicodeUsernameValidator()(username)
    except ValidationError as error:
        raise Refused("A user name has letters, digits and @ . + - _ only.") from error
    password = first_password()
    first, _, last = name.strip().partition(" ")
    try:
        with transaction.atomic():
            user = User.objects.create_user(
                username=username, email=email, password=password, first_name=first, last_name=last
            )
            user.groups.set(_groups(roles))
            audit.record(action="person.add", target=f"user:{user.pk}", by=by, username=username, roles=sorted(roles))
    except IntegrityError as error:
        raise Refused(f"There is an account “{username}” already.") from error
    return user, password


def set_roles(*, user: User, roles: set[str], by: User) -> None:
    """Replace the roles of `user`."""
    with transaction.atomic():
        before = access.roles_of(User.objects.get(pk=user.pk))
        if before == roles:
            return
        if access.ADMIN in before and access.ADMIN not in roles:
            _keep_an_admin(user)
        user.groups.set([*user.groups.exclude(name__in=access.ROLES), *_groups(roles)])
        audit.record(action="person.roles", target=f"user:{user.pk}", by=by, before=sorted(before), after=sorted(roles))


def set_active(*, user: User, active: bool, by: User) -> None:
    """Let somebody in, or out. Nobody locks themselves out."""
    if user == by and not active:
        raise Refused("You cannot deactivate your own account; another admin can.")
    with transaction.atomic():
        if not active and access.ADMIN in access.roles_of(User.objects.get(pk=user.pk)):
            _keep_an_admin(user)
        if User.objects.filter(pk=user.pk, is_active=not active).update(is_active=active):
            user.is_active = active
            audit.record(action="person.active", target=f"user:{user.pk}", by=by, active=active)


def reset_password(*, user: User, by: User) -> str:
    """A new password, shown this once; sessions of the old one end."""
    password = first_password()
    with transaction.atomic():
        user.set_password(password)
        user.save(update_fields=["password"])
        audit.record(action="person.password", target=f"user:{user.pk}", by=by)
    return password


def first_password() -> str:
    """Four groups of four characters: 79 bits."""
    return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(4)) for _ in range(4))


def _groups(roles: set[str]) -> list[Group]:
    return [Group.objects.get_or_create(name=role)[0] for role in sorted(roles & set(access.ROLES))]


def _keep_an_admin(user: User) -> None:
    """Raise unless another active admin is left. Locks the admins: two cannot remove each other at once."""
    admins = User.objects.select_for_update(no_key=True).filter(is_active=True, groups__name=access.ADMIN)
    if not [admin for admin in admins.order_by("pk") if admin.pk != user.pk]:
        raise Refused("This is the last active admin; make somebody else an admin first.")


def change_own_password(*, form: PasswordChangeForm) -> None:
    """Somebody's own choice, checked by the form (which knows the old one)."""
    with transaction.atomic():
        form.save()
        audit.record(action="person.own_password", target=f"user:{form.user.pk}", by=form.user)
