"""`kubectl get`: tables that the cluster lays out itself, or objects in a format of one's own."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import yaml

from runbooks.standins.columns import aligned
from runbooks.standins.ending import Ended, NotUnderstood, err, out, raw
from runbooks.standins.gotemplate import Template
from runbooks.standins.kubectl import jsonpath
from runbooks.standins.kubectl.cluster import TABLE, Cluster
from runbooks.standins.kubectl.kinds import Kind, chosen
from runbooks.standins.words import Given

OPTIONS = (
    "-o/--output= -l/--selector= --field-selector= -A/--all-namespaces --no-headers --show-labels -L/--label-columns= "
    "--sort-by= --ignore-not-found --show-kind --chunk-size= --template="
)
Printer = Callable[[Mapping[str, Any]], None]


class _Dumper(yaml.SafeDumper):
    """YAML as programs in Go write it: text that could be taken for something else in double quotes."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    tag = "tag:yaml.org,2002:str"
    plain = dumper.resolve(yaml.ScalarNode, value, (True, False)) == tag
    return dumper.represent_scalar(tag, value, style="|" if "\n" in value else None if plain else '"')


_Dumper.add_representer(str, _text)


def run(cluster: Cluster, given: Given) -> int:
    """Print what a call names."""
    form = given.text("output")
    found = chosen(cluster, given.words)
    if form in ("", "wide"):
        return _tables(cluster, given, found, wide=form == "wide")
    printer = printer_of(form, given)
    items, one = _objects(cluster, given, found)
    if given.has("sort-by"):
        items.sort(key=lambda item: _sort_key(given.text("sort-by"), item))
    if one and not items:
        return 0
    listed = (
        items[0] if one else {"apiVersion": "v1", "items": items, "kind": "List", "metadata": {"resourceVersion": ""}}
    )
    printer(listed)
    return 0


def printer_of(form: str, given: Given) -> Printer:
    """What prints an object or a list in the format `form`; NotUnderstood before anything is asked."""
    name, _, rest = form.partition("=")
    if name == "json":
        return lambda value: out(json.dumps(value, indent=4, sort_keys=True, ensure_ascii=False))
    if name == "yaml":
        return lambda value: raw("out", yaml.dump(value, Dumper=_Dumper, allow_unicode=True, width=10**6).encode())
    if name == "name":
        return lambda value: out(*(_full_name(item) for item in _items(value)))
    if name in ("jsonpath", "go-template"):
        template: Any = (jsonpath.JsonPath if name == "jsonpath" else Template)(rest or given.text("template"))
        return lambda value: raw("out", template.render(value).encode())
    if name == "custom-columns":
        return _columns(rest, headers=not given.on("no-headers"))
    raise NotUnderstood(f"the output format {form}")


def _items(value: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return value["items"] if isinstance(value.get("items"), list) else [value]


def _full_name(item: Mapping[str, Any]) -> str:
    group = item["apiVersion"].partition("/")[0] if "/" in item["apiVersion"] else ""
    return f"{item['kind'].lower()}{'.' + group if group else ''}/{item['metadata']['name']}"


def _columns(spec: str, *, headers: bool) -> Printer:
    parts = [part.partition(":") for part in spec.split(",")]
    if not spec or not all(path for _, _, path in parts):
        raise Ended(1, "error: custom-columns format specified but no custom columns given")
    paths = [jsonpath.relaxed(path) for _, _, path in parts]
    for path in paths:
        jsonpath.found(path, None)

    def show(value: Mapping[str, Any]) -> None:
        lines = [[name for name, _, _ in parts]] if headers else []
        for item in _items(value):
            cells = [",".join(jsonpath.scalar(one) for one in jsonpath.found(path, item)) for path in paths]
            lines.append([cell or "<none>" for cell in cells])
        out(*aligned(lines, least=6))

    return show


def _where(cluster: Cluster, given: Given, kind: Kind) -> str:
    return "" if given.on("all-namespaces") or not kind.namespaced else cluster.namespace


def query_of(given: Given) -> list[tuple[str, str]]:
    """What --selector and --field-selector ask for."""
    asked = (("labelSelector", given.text("selector")), ("fieldSelector", given.text("field-selector")))
    return [(name, value) for name, value in asked if value]


def _objects(cluster: Cluster, given: Given, found: Sequence[tuple[Kind, str]]) -> tuple[list[dict[str, Any]], bool]:
    """The objects themselves, and whether exactly one was named."""
    items: list[dict[str, Any]] = []
    for kind, name in found:
        path = kind.path(_where(cluster, given, kind), name)
        if name:
            items += [item for item in [_unless_missing(cluster, given, path)] if item]
            continue
        answer = cluster.json("GET", path, query_of(given))
        # Those of a list do not say what they are.
        items += [{"apiVersion": kind.api_version, "kind": kind.kind, **item} for item in answer["items"]]
    return items, len(found) == 1 and bool(found[0][1])


def _unless_missing(cluster: Cluster, given: Given, path: str, **more: Any) -> Any:
    try:
        return cluster.json("GET", path, **more)
    except Ended as end:
        if given.on("ignore-not-found") and "(NotFound)" in end.said:
            return None
        raise


def _tables(cluster: Cluster, given: Given, found: Sequence[tuple[Kind, str]], *, wide: bool) -> int:
    """A table for each kind. Several names of one kind share one."""
    several = len({kind for kind, _ in found}) > 1 or given.on("show-kind")
    shown, failed = 0, 0
    for kind in dict.fromkeys(kind for kind, _ in found):
        columns: list[Mapping[str, Any]] = []
        rows: list[Mapping[str, Any]] = []
        for name in [name for one, name in found if one == kind]:
            try:
                table = _table(cluster, given, kind, name)
            except Ended as end:
                if len(found) == 1:
                    raise
                failed = 1
                err(end.said)
                continue
            if table:
                columns = table["columnDefinitions"]
                rows += table.get("rows") or []
        if rows:
            if shown and several:
                out("")
            _print(kind, columns, rows, given, wide=wide, prefixed=several)
            shown += len(rows)
    if not shown and not failed and not given.on("ignore-not-found"):
        everywhere = given.on("all-namespaces") or not any(kind.namespaced for kind, _ in found)
        err("No resources found" if everywhere else f"No resources found in {cluster.namespace} namespace.")
    return failed


def _table(cluster: Cluster, given: Given, kind: Kind, name: str) -> Any:
    path = kind.path(_where(cluster, given, kind), name)
    query = [] if name else query_of(given)
    if given.has("sort-by"):
        query.append(("includeObject", "Object"))
    found = _unless_missing(cluster, given, path, query=query, headers={"Accept": TABLE})
    if found is None or found.get("kind") == "Table":
        return found
    return _own_table(found)


def _own_table(found: Mapping[str, Any]) -> dict[str, Any]:
    """For what a cluster does not lay out."""
    columns = [{"name": "Name", "priority": 0}, {"name": "Created At", "priority": 0}]
    rows = [
        {"cells": [item["metadata"]["name"], item["metadata"].get("creationTimestamp")], "object": item}
        for item in _items(found)
    ]
    return {"columnDefinitions": columns, "rows": rows}


def _print(
    kind: Kind,
    columns: Sequence[Mapping[str, Any]],
    rows: Sequence[Mapping[str, Any]],
    given: Given,
    *,
    wide: bool,
    prefixed: bool,
) -> None:
    shown = [at for at, column in enumerate(columns) if wide or not column.get("priority")]
    named = next((place for place, at in enumerate(shown) if columns[at].get("format") == "name"), 0)
    spaces = given.on("all-namespaces") and kind.namespaced
    labels = [name for one in given.many("label-columns") for name in one.split(",")]
    header = ["NAMESPACE"] * spaces + [columns[at]["name"].upper() for at in shown]
    header += [name.rpartition("/")[2].upper() for name in labels] + ["LABELS"] * given.on("show-labels")
    if given.has("sort-by"):
        rows = sorted(rows, key=lambda row: _sort_key(given.text("sort-by"), row["object"]))
    lines = [] if given.on("no-headers") else [header]
    for row in rows:
        meta = (row.get("object") or {}).get("metadata") or {}
        own = meta.get("labels") or {}
        cells = [_cell(row["cells"][at]) for at in shown]
        if prefixed:
            cells[named] = kind.named(cells[named])
        line = [meta.get("namespace", "")] * spaces + cells + [own.get(name, "") for name in labels]
        joined = ",".join(f"{key}={own[key]}" for key in sorted(own)) or "<none>"
        lines.append(line + [joined] * given.on("show-labels"))
    out(*aligned(lines, least=6))


def _cell(value: Any) -> str:
    text = "<none>" if value is None else str(value)
    return text.split("\n", 1)[0] + "..." if "\n" in text else text


def _sort_key(path: str, item: Any) -> tuple[int, Any]:
    """What is missing comes first; numbers by size, the rest as text."""
    there = jsonpath.found(jsonpath.relaxed(path), item)
    if not there:
        return 0, 0
    return (1, there[0]) if isinstance(there[0], int | float) else (2, str(there[0]))
