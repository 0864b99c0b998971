"""The pages of the rules: a list, and what each means."""

import pytest
from django.test import Client
from django.urls import reverse

from runbooks.compiler.lint import RULES


def test_the_list_leads_to_every_rule(browser: Client) -> None:
    page = browser.get(reverse("lint_rules")).content.decode()
    assert [name for name in RULES if reverse("lint_rule", args=[name]) not in page] == []


@pytest.mark.parametrize("name", ["sql.in-transaction", "threshold.differs", "encoding.nul", "allow.no-reason"])
def test_a_rule_says_what_to_do_and_how_to_allow_it(browser: Client, name: str) -> None:
    page = browser.get(reverse("lint_rule", args=[name])).content.decode()
    assert RULES[name].title in page
    assert f"erpops: allow {name} because" in page


def test_a_rule_about_versions_lists_what_it_knows(browser: Client) -> None:
    page = browser.get(reverse("lint_rule", args=["api.removed"])).content.decode()
    assert "/api/v2/alerts" in page
    assert "networking.k8s.io/v1" in page


def test_there_is_no_page_for_a_rule_that_is_not_there(browser: Client) -> None:
    assert browser.get(reverse("lint_rule", args=["no.such"])).status_code == 404
