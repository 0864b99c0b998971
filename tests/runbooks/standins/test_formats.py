"""Options, templates, paths, ages and sizes, where no engine and no cluster is needed."""

from typing import Any

import pytest

from runbooks.standins import measures
from runbooks.standins.ending import Ended, NotUnderstood
from runbooks.standins.gotemplate import Template
from runbooks.standins.kubectl.jsonpath import JsonPath
from runbooks.standins.words import Known, read

_KNOWN = Known.of("-a/--all -n/--name= -e/--env= --dry-run=?")
_POD: dict[str, Any] = {
    "name": "a",
    "up": True,
    "n": 3,
    "list": [{"k": "x", "v": 1}, {"k": "y", "v": 2}],
    "map": {"b": 2, "a": 1},
    "none": None,
}


def test_options_are_read_as_the_programs_read_them() -> None:
    given = read(["-an5", "--env=A=b", "-e", "C", "one", "--dry-run", "two", "--", "-x"], _KNOWN)
    assert (given.on("all"), given.text("name"), given.many("env"), given.text("dry-run")) == (
        True,
        "5",
        ["A=b", "C"],
        "true",
    )
    assert (given.words, given.after) == (["one", "two"], ["-x"])
    assert not read(["--all=false"], _KNOWN).on("all")
    assert read(["pod", "--all"], _KNOWN, stops=True).words == ["pod", "--all"]


@pytest.mark.parametrize("words", [["--unknown"], ["-z"], ["-az"], ["--al"]])
def test_an_unknown_option_is_refused(words: list[str]) -> None:
    with pytest.raises(NotUnderstood):
        read(words, _KNOWN)


def test_an_option_without_its_value_is_an_error() -> None:
    with pytest.raises(Ended):
        read(["--name"], _KNOWN)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{{.name}}/{{.Name}}", "a/a"),
        ("{{json .list}}", '[{"k":"x","v":1},{"k":"y","v":2}]'),
        ("{{range .list}}{{.k}}={{.v}};{{end}}", "x=1;y=2;"),
        ("{{range $k, $v := .map}}{{$k}}{{$v}} {{end}}", "a1 b2 "),
        ("{{if and .up (gt .n 2)}}yes{{else}}no{{end}}", "yes"),
        ("{{if not .up}}a{{else if eq .n 3}}b{{else}}c{{end}}", "b"),
        ("{{with .none}}x{{else}}nothing{{end}}", "nothing"),
        ("{{- .name -}}   {{.n}}", "a3"),
        ('{{index .map "b"}} {{(index .list 1).k}} {{len .list}}', "2 y 2"),
        ('{{.name | upper | printf "%s-%d" | print}}', "A-%!d"),
        ("{{.map}} {{.none}} {{.up}}", "map[a:1 b:2] <nil> true"),
        ('{{join (split "a,b" ",") "-"}}', "a-b"),
    ],
)
def test_templates(text: str, said: str) -> None:
    if "%!d" in said:
        with pytest.raises(Ended):
            Template(text).render(_POD)
    else:
        assert Template(text).render(_POD) == said


@pytest.mark.parametrize(
    "text", ["{{.a", "{{template `x`}}", "{{range .list}}", "{{.a | nonsense}}", "{{end}}", "{{html .name}}"]
)
def test_a_template_that_is_not_understood_is_refused(text: str) -> None:
    with pytest.raises(NotUnderstood):
        Template(text).render(_POD)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{.list[*].k}", "x y"),
        ("{.list[-1].v}", "2"),
        ("{.list[0:1].k}", "x"),
        ("{.list[?(@.v>1)].k}", "y"),
        ('{.list[?(@.k=="x")].v}', "1"),
        ("{.map['a','b']}", "1 2"),
        ("{..v}", "1 2"),
        ('{range .list[*]}{.k}{"\\t"}{.v}{"\\n"}{end}', "x\t1\ny\t2\n"),
        ("{.missing} {.name}", " a"),
        ("{$.n} {.map}", '3 {"b":2,"a":1}'),
    ],
)
def test_paths(text: str, said: str) -> None:
    assert JsonPath(text).render(_POD) == said


@pytest.mark.parametrize("text", ["{.a[?(@.x=~'y')]}", "{nonsense}", "{.a[}", "{range .a}", "{.list[x]}"])
def test_a_path_that_is_not_understood_is_refused(text: str) -> None:
    with pytest.raises((NotUnderstood, Ended)):
        JsonPath(text)


def test_ages_sizes_and_spans_are_written_as_the_programs_write_them() -> None:
    hour, day = 3600, 86400
    spans = (0.4, 1, 59, 60, 3 * 60, hour, 5 * hour, 3 * day, 20 * day, 70 * day, 800 * day)
    said = "Less than a second|1 second|59 seconds|About a minute|3 minutes|About an hour|5 hours|3 days|2 weeks"
    said += "|2 months|2 years"
    assert "|".join(map(measures.docker_age, spans)) == said
    seconds = (5, 119, 125, 600, 3 * hour, 3 * hour + 300, 30 * hour, 3 * day + 4 * hour, 30 * day, 800 * day)
    assert " ".join(map(measures.kubernetes_age, seconds)) == "5s 119s 2m5s 10m 3h 3h5m 30h 3d4h 30d 2y70d"
    assert [measures.decimal_size(1982000), measures.decimal_size(1982000, 3), measures.decimal_size(0)] == [
        "1.982MB",
        "1.98MB",
        "0B",
    ]
    assert measures.binary_size(588 * 1024) == "588KiB"
    assert [measures.span(text) for text in ("1h30m", "500ms", "0", "-2s")] == [5400, 0.5, 0, -2]
    with pytest.raises(ValueError):
        measures.span("soon")
