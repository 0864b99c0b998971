"""Compose projects: the containers of one project on a Docker engine."""

from collections import Counter
from urllib.parse import parse_qs, urlsplit

import httpx

from checks.choices import TargetKind
from checks.connectors import addresses, docker, failures
from checks.connectors.kind import Connector, Handed, Report, connectors
from checks.probes.kind import Place

_LABEL = "com.docker.compose.project"
_UP = "Start it with `docker compose up`, or correct the project's name: `docker compose ls` shows all of them."


def _engine(place: Place) -> tuple[Place, str]:
    """The engine that the project runs on, and the project's name."""
    parts = urlsplit(place.address)
    project = parse_qs(parts.query).get("project", [""])[0]
    # Not urlunsplit, which writes unix:/path.
    return Place(place.address.partition("?")[0], place.credential, place.trust), project


def _test(place: Place, timeout_s: float) -> Report:
    engine, project = _engine(place)
    answered = docker.test(engine, timeout_s)
    if not answered.ok:
        return answered
    try:
        states = _states(engine, project, timeout_s)
    except (httpx.HTTPError, ValueError) as error:
        return failures.report(error, where=engine.address)
    if not states:
        return Report(False, f"The engine answers, but it has no container of the project {project}.", _UP)
    running = states["running"]
    return Report(True, f"Project {project}: {running} of {states.total()} containers run.")


def _states(engine: Place, project: str, timeout_s: float) -> Counter[str]:
    filters = f'{{"label":["{_LABEL}={project}"]}}'
    with docker.client(engine, timeout_s) as client:
        answer = client.get("/containers/json", params={"all": "true", "filters": filters})
        answer.raise_for_status()
        return Counter(str(each["State"]) for each in answer.json())


def _hand_over(name: str, place: Place, first: bool) -> Handed:
    engine, project = _engine(place)
    handed = docker.hand_over(name, engine, first)
    own = f"{name.upper().replace('-', '_')}_PROJECT"
    named = {"COMPOSE_PROJECT_NAME": project} if first else {own: project}
    return Handed({**handed.values, **named}, handed.secrets, handed.files, handed.paths)


connectors.add(
    TargetKind.COMPOSE,
    Connector(
        address="unix:///var/run/docker.sock?project=shop, or tcp://host:2376?project=shop",
        credential="For TCP: the client's certificate and private key as PEM text.",
        trust="For TCP: the certificate of the engine's authority as PEM text.",
        clean=addresses.project,
        test=_test,
        hand_over=_hand_over,
    ),
)
