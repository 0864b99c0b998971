"""The runbooks part of a fresh installation: the built-in library."""

from hashlib import sha256

from erpops.setup import SetupContext
from runbooks import library
from runbooks.models import Version


def prepare(setup: SetupContext) -> None:
    """Install the built-in documents that are new or differ; compiling them at every start would be slow."""
    texts = [file.read_text(encoding="utf-8") for file in library.BUILTIN.glob("*.md")]
    digests = {sha256(text.encode("utf-8")).hexdigest() for text in texts}
    known = Version.objects.filter(runbook__origin__startswith="library:", sha256__in=digests)
    if set(known.values_list("sha256", flat=True)) != digests:
        setup.say(f"the built-in library has {library.install_builtin()}")
