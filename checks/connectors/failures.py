"""What went wrong on the way to a target, and what a person does next, in words."""

import re
import socket
import ssl

from checks.connectors.kind import Report

REFUSED = "Is it running, does it listen on that port, and does its firewall let this machine in?"
UNKNOWN_NAME = "Check the spelling, and that this machine's DNS knows the name."
SILENT = "The packets are lost: look at firewalls and routes between this machine and the target."
PASSWORD = "Write the credential again; the stored one is never shown."  # noqa: S105  (a sentence)
CERTIFICATE = "Paste the certificate of its authority into “Trust”, or use the name that its certificate carries."


def report(error: BaseException, *, where: str) -> Report:
    """The report about an error of the network; the causes behind it are looked at."""
    for cause in _causes(error):
        text = str(cause).lower()
        if isinstance(cause, ssl.SSLCertVerificationError) or "certificate verify failed" in text:
            return Report(False, f"{where} shows a certificate that this machine does not trust.", CERTIFICATE)
        if isinstance(cause, socket.gaierror) or "does not resolve" in text or "name or service" in text:
            return Report(False, f"The name in {where} does not resolve.", UNKNOWN_NAME)
        if isinstance(cause, ConnectionRefusedError) or "connection refused" in text:
            return Report(False, f"{where} refuses the connection.", REFUSED)
        if isinstance(cause, FileNotFoundError) or "no such file" in text:
            return Report(False, f"{where} is not there.", "Is the engine running on this machine, under that path?")
        if isinstance(cause, PermissionError) or "permission denied" in text:
            return Report(False, f"This console may not open {where}.", "Add its user to the group that owns it.")
    if any(
        re.search("timed out|timeout expired", str(cause).lower()) or isinstance(cause, TimeoutError)
        for cause in _causes(error)
    ):
        return Report(False, f"{where} does not answer.", SILENT)
    lines = str(error).strip().splitlines()
    return Report(False, f"{where} could not be asked: {(lines or [type(error).__name__])[0][:200]}", REFUSED)


def _causes(error: BaseException | None) -> list[BaseException]:
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found
