"""Compile Markdown runbooks and bring them into the library, or only show what they become."""

import json
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from runbooks.compiler import compile_paths, compile_text, encoding
from runbooks.compiler.contract import Document
from runbooks.compiler.findings import all_commands
from runbooks.library import import_documents
from runbooks.uploads import commit_of, from_archive


class Command(BaseCommand):
    help = "Compile Markdown files, folders, zips and Git working copies, and import the runbooks in them as drafts."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "paths", nargs="+", metavar="PATH", help="a Markdown file, a folder that is walked, or a zip"
        )
        parser.add_argument("--dry-run", action="store_true", help="compile and print, store nothing")
        parser.add_argument("--json", action="store_true", help="print the compiled documents as JSON")
        parser.add_argument("--publish", action="store_true", help="publish what is imported, except over local edits")
        parser.add_argument("--note", default="", help="what changed, for the history of the runbooks")

    def handle(self, *args: Any, **options: Any) -> None:
        documents, texts = self._read([Path(path) for path in options["paths"]])
        if not documents:
            raise CommandError("No Markdown files there: name a file, or a folder that holds .md files.")
        if options["json"]:
            self.stdout.write(json.dumps({"documents": documents}, ensure_ascii=False, indent=1))
        else:
            for document in documents:
                self._summary(document)
        unreadable = [document for document in documents if _unreadable(document)]
        if not options["dry_run"]:
            readable = [document for document in documents if document not in unreadable]
            note = options["note"] or self._commits(options["paths"])
            report = import_documents(
                compiled=readable, texts=texts, by=None, publish_them=options["publish"], note=note
            )
            if not options["json"]:
                self.stdout.write(str(report))
        if unreadable:
            sys.exit(1)

    def _read(self, paths: list[Path]) -> tuple[list[Document], dict[str, str]]:
        """The compiled documents, and their texts by path."""
        archives = [path for path in paths if path.suffix.lower() == ".zip"]
        others = [path for path in paths if path not in archives]
        documents = list(compile_paths(others)["documents"]) if others else []
        texts = {
            document["path"]: encoding.decode(Path(document["path"]).read_bytes()).text
            for document in documents
            if not _unreadable(document)
        }
        for archive in archives:
            brought = from_archive(archive)
            for sentence in brought.problems:
                self.stderr.write(sentence)
            for path, body in sorted(brought.documents.items()):
                documents.append(compile_text(body, path=path))
                texts[path] = encoding.decode(body).text
        return documents, texts

    def _commits(self, paths: list[str]) -> str:
        commits = {commit[:12] for path in paths if (commit := commit_of(Path(path).resolve()))}
        return f"From commit {', '.join(sorted(commits))}." if commits else ""

    def _summary(self, document: Document) -> None:
        commands = list(all_commands(document))
        errors = [f for f in document["findings"] if f["level"] == "error"]
        self.stdout.write(
            f"{document['path']}: {len(document['runbooks'])} runbooks, {len(commands)} commands, "
            f"{len(document['references'])} references, {len(errors)} errors"
        )
        for finding in errors:
            self.stdout.write(f"  {document['path']}:{finding['line']}: {finding['rule']}: {finding['message']}")


def _unreadable(document: Document) -> bool:
    return any(finding["rule"] == "file.unreadable" for finding in document["findings"])
