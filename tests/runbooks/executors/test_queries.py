"""LogQL and Lucene against servers that speak the protocol."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from checks.probes import Place
from erpops.embedded.launch import free_port
from runbooks.executors import CannotStart, tables
from runbooks.parameters import BadValue, Unbindable
from tests.runbooks.executors.jobs import carried_out, job
from tests.runbooks.executors.speakers import PASSWORD, TOKEN, USER, Elasticsearch, Loki, Server, speaking


@pytest.fixture(scope="module")
def loki() -> Iterator[Server]:
    with speaking(Loki) as server:
        yield server


@pytest.fixture(scope="module")
def elastic() -> Iterator[Server]:
    with speaking(Elasticsearch) as server:
        yield server


def ask_loki(text: str, server: Server, **given: Any) -> int:
    return carried_out(text, "logql", **{"place": {"loki": Place(server.url, TOKEN)}, **given})


def ask_elastic(text: str, server: Server, **given: Any) -> int:
    place = {"elastic": Place(f"{server.url}/logs-*", f"{USER}:{PASSWORD}")}
    return carried_out(text, "lucene", **{"place": place, **given})


def test_the_newest_lines_of_the_last_hour_are_shown(loki: Server, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask_loki('{app="api"} |= "timeout"', loki) == 0
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert lines[0].split("|")[0].strip() == "time (UTC)"
    assert "2025-10-09 08:53:20.000" in lines[201] and "timeout 0 for" in lines[201]
    assert "(200 rows)" in printed.out and "newest 200 lines" in printed.err
    assert "lines over the last hour  ▁" in printed.out


def test_a_function_over_lines_is_a_table_with_a_chart(loki: Server, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask_loki('sum(rate({app="api"}[5m]))', loki) == 0
    printed = capsys.readouterr().out
    assert ' {app="api"} |     2 | ▁▂▃▅▆▇█' in printed and printed.endswith("(1 row)\n")


def test_the_own_sentence_of_loki_is_shown(loki: Server, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask_loki('{app="api"', loki) == 22
    assert "Loki refuses (HTTP 400): parse error at line 1" in capsys.readouterr().err
    assert ask_loki('{app="one"}', loki, place={"loki": Place(loki.url, "wrong")}) == 22
    assert "refuses the credential" in capsys.readouterr().err
    assert ask_loki('{app="one"}', loki, place={"loki": Place(f"http://127.0.0.1:{free_port()}")}) == 7
    assert "could not be asked" in capsys.readouterr().err


def test_values_in_a_query_cannot_leave_their_string(loki: Server, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask_loki('{app="one", pod="<pod>"} |= "x"', loki, values={"pod": 'a"} or {b="\\'}) == 0
    assert r'{app="one", pod="a\"} or {b=\"\\"} |= "x"' in capsys.readouterr().out
    assert job('up{pod=~"<pod>"}', "promql", values={"pod": "a.b|c"}).script == 'up{pod=~"${ERPOPS_P_POD}"}'
    assert ask_loki('{pod=~"one-<pod>"}', loki, values={"pod": "a.b|c"}) == 0
    assert '{pod=~"one-a\\\\.b\\\\|c"}' in capsys.readouterr().out
    with pytest.raises(BadValue):
        job("rate(x[<range>])", "promql", values={"range": "5m]) or vector(1"})
    assert job("rate(x[<range>])", "promql", values={"range": "5m"}).values == {"ERPOPS_P_RANGE": "5m"}
    with pytest.raises(Unbindable):
        job("{app=`<app>`}", "logql", values={"app": "x"})


def test_hits_are_a_table_with_their_whole_count(elastic: Server, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask_elastic("level:ERROR AND @timestamp:[now-1h TO now]", elastic) == 0
    printed = capsys.readouterr()
    assert "      @timestamp      | log.level |     message" in printed.out
    assert " 2026-01-19T02:00:00Z | error     | payment 0 failed" in printed.out
    assert "(the first 3 of 1,234 rows)" in printed.out and "hits over time  ▁▁▁▂▃▅▆█" in printed.out
    assert printed.err == ""
    assert elastic.asked[-1][1] == "/logs-*/_search"


def test_a_query_without_a_time_searches_the_last_hour(elastic: Server, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask_elastic("nothing", elastic) == 0
    printed = capsys.readouterr()
    assert "(0 rows)" in printed.out and "last hour was searched" in printed.err
    assert b'"gte":"now-1h"' in elastic.asked[-1][3].replace(b" ", b"")


def test_the_words_of_kibanas_own_language_are_operators(elastic: Server, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask_elastic('not level:info and message:"this and that"', elastic) == 0
    read = 'NOT level:info AND message:"this and that"'
    assert f"Read as: {read}" in capsys.readouterr().err
    assert json.loads(elastic.asked[-1][3])["query"]["bool"]["must"][0]["query_string"]["query"] == read


def test_a_value_in_lucene_is_one_term_or_one_phrase(elastic: Server, capsys: pytest.CaptureFixture[str]) -> None:
    asked = 'service:<name> AND path:"<path>" AND @timestamp:[now-1h TO now]'
    assert ask_elastic(asked, elastic, values={"name": "a OR *:*", "path": 'x" OR "y'}) == 0
    sent = elastic.asked[-1][3].decode()
    assert r"service:a\\ OR\\ \\*\\:\\* AND path:\"x\\\" OR \\\"y\"" in sent


def test_the_own_sentence_of_elasticsearch_is_shown(elastic: Server, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask_elastic('message:"open', elastic) == 22
    assert "Elasticsearch refuses (HTTP 400): Failed to parse query" in capsys.readouterr().err
    assert ask_elastic("x:1", elastic, place={"elastic": Place(elastic.url, f"{USER}:wrong")}) == 22
    told = capsys.readouterr().err
    assert "refuses the credential" in told and "wrong" not in told
    with pytest.raises(CannotStart, match="no Elasticsearch target"):
        ask_elastic("x:1", elastic, place={})


def test_servers_that_hang_are_not_waited_for(capsys: pytest.CaptureFixture[str]) -> None:
    with speaking(Loki) as server:
        server.hold.set()
        assert ask_loki('{app="one"}', server, timeout_s=3) == 28
        assert ask_elastic("x:1", server, timeout_s=3) == 28
    assert capsys.readouterr().err.count("No answer from 127.0.0.1 within 1 s.") == 2


@pytest.mark.parametrize(
    ("values", "bars"),
    [
        ([0, 1, 2, 3, 4, 5, 6, 7], "▁▂▃▄▅▆▇█"),
        ([5, 5, 5], "▄▄▄"),
        ([0, 0], "▁▁"),
        ([1, None, float("nan"), 2], "▁  █"),
        ([], ""),
        ([None], ""),
    ],
)
def test_numbers_become_bars_between_the_lowest_and_the_highest(values: list[float | None], bars: str) -> None:
    assert tables.sparkline(values) == bars
