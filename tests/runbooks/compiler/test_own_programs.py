"""An installation's own table of programs: its lines win, and a broken one says what is wrong."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from runbooks.compiler import compile_text, programs


@pytest.fixture(autouse=True)
def ours_again() -> Iterator[None]:
    yield
    programs.use(None)


def risk(text: str) -> str:
    document = compile_text(f"# A\n\n1. Look\n\n   ```bash\n   {text}\n   ```\n", path="a.md")
    return str(document["runbooks"][0]["phases"][0]["steps"][0]["commands"][0]["risk"])


def table(folder: Path, text: str) -> Path:
    file = folder / "programs.toml"
    file.write_text(text)
    return file


def test_a_program_of_the_house_gets_its_risk(tmp_path: Path) -> None:
    assert risk("shopctl status") == "disrupt"
    programs.use(table(tmp_path, '[family.shopctl.sub]\nstatus = "read"\npurge = "destroy long"\n'))
    assert [risk(f"shopctl {word}") for word in ("status", "purge", "other")] == ["read", "destroy", "disrupt"]


def test_its_lines_win_over_ours_and_leave_the_rest(tmp_path: Path) -> None:
    programs.use(table(tmp_path, '[alone]\nnginx = "disrupt"\n[family.kubectl.sub]\ncordon = "disrupt"\n'))
    assert [risk("nginx -t"), risk("kubectl cordon a"), risk("kubectl get pods")] == ["disrupt", "disrupt", "read"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[alone\n", "programs.toml: "),
        ('[programs]\nx = "read"\n', "not [programs]"),
        ('[alone]\nx = "harmless"\n', "harmless is neither a risk"),
        ("[alone]\nx = 3\n", "3 is neither a risk"),
    ],
)
def test_a_broken_table_names_the_file_and_the_mistake(text: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(programs.BadTable) as error:
        programs.use(table(tmp_path, text))
    assert sentence in str(error.value)
    assert "programs.toml" in str(error.value)


def test_a_missing_file_is_said_by_name(tmp_path: Path) -> None:
    with pytest.raises(programs.BadTable, match=r"gone\.toml"):
        programs.use(tmp_path / "gone.toml")
