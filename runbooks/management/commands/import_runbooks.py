"""Compile Markdown runbooks and bring them into the library, or only show what they become."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from runbooks.compiler import compile_paths, encoding
from runbooks.compiler.contract import Document, Documents
from runbooks.compiler.findings import all_commands
from runbooks.library import import_documents


class Command(BaseCommand):
    help = "Compile Markdown files and folders, and import the runbooks in them."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("paths", nargs="+", metavar="PATH", help="a Markdown file or a folder that is walked")
        parser.add_argument("--dry-run", action="store_true", help="compile and print, store nothing")
        parser.add_argument("--json", action="store_true", help="print the compiled documents as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        compiled = compile_paths(options["paths"])
        if not compiled["documents"]:
            raise CommandError("No Markdown files there: name a file, or a folder that holds .md files.")
        if options["json"]:
            self.stdout.write(json.dumps(compiled, ensure_ascii=False, indent=1))
        else:
            for document in compiled["documents"]:
                self._summary(document)
        if not options["dry_run"]:
            self._import(compiled, quiet=options["json"])

    def _summary(self, document: Document) -> None:
        commands = list(all_commands(document))
        errors = [f for f in document["findings"] if f["level"] == "error"]
        self.stdout.write(
            f"{document['path']}: {len(document['runbooks'])} runbooks, {len(commands)} commands, "
            f"{len(document['references'])} references, {len(errors)} errors"
        )
        for finding in errors:
            self.stdout.write(f"  {document['path']}:{finding['line']}: {finding['rule']}: {finding['message']}")

    def _import(self, compiled: Documents, *, quiet: bool) -> None:
        readable = [d for d in compiled["documents"] if not any(f["rule"] == "file.unreadable" for f in d["findings"])]
        texts = {d["path"]: encoding.decode(Path(d["path"]).read_bytes()).text for d in readable}
        report = import_documents(compiled=readable, texts=texts, by=None)
        if not quiet:
            self.stdout.write(str(report))
