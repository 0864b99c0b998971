"""What may go on in containers after a command was ended by force."""

from pathlib import Path

import pytest

from runbooks import elsewhere
from runbooks.standins import launchers


@pytest.fixture
def real(tmp_path: Path) -> dict[str, str]:
    """An environment with the real programs."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("docker", "docker-compose", "kubectl"):
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(0o755)
    return {"PATH": f"{folder}:{launchers.folder()}"}


@pytest.mark.parametrize(
    ("script", "named"),
    [
        ("docker exec db psql -d shop", "`docker exec`"),
        ("docker exec -u root db tar -d x", "`docker exec`"),
        ("docker -H tcp://a:1 exec -i db cat", "`docker exec`"),
        ("docker compose -f a.yml exec -T db psql", "`docker exec`"),
        ("docker-compose exec db psql", "`docker-compose exec`"),
        ("docker run --rm box sleep 9", "`docker run`"),
        ("kubectl -n shop exec pod -- tool -d", "`kubectl exec`"),
        ("docker run -d --name x box", ""),
        ("docker exec -d db job", ""),
        ("docker logs -f db", ""),
        ("kubectl get pods", ""),
        ("echo docker", ""),
    ],
)
def test_a_real_program_is_known_by_its_words(script: str, named: str, real: dict[str, str], tmp_path: Path) -> None:
    said = elsewhere.left(script=script, env=real, home=tmp_path)
    assert named in said
    assert bool(said) == bool(named)


def test_a_stand_in_is_known_by_its_notes(tmp_path: Path) -> None:
    env = {"PATH": str(launchers.folder())}
    assert elsewhere.left(script="docker exec db psql", env=env, home=tmp_path) == ""
    notes = tmp_path / ".elsewhere"
    notes.mkdir()
    for number in range(5):
        (notes / str(number)).write_text(f"`psql` in container db{number} {'x' * 200}")
    said = elsewhere.left(script="docker exec db psql", env=env, home=tmp_path)
    assert "`psql` in container db0" in said and "and 2 more" in said
    assert len(said) < 260
