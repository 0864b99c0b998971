"""The web process."""

import asyncio
from argparse import ArgumentParser
from types import FrameType
from typing import Any

import uvicorn
from django.core.management.base import BaseCommand

from erpops import sse, wire


class _Server(uvicorn.Server):
    """Ends live streams first: uvicorn itself does not tell an idle stream that it must go."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        sse.hub.stop()
        super().handle_exit(sig, frame)


class Command(BaseCommand):
    help = "Serve pages, alert hooks and live streams."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8000)

    def handle(self, *args: Any, **options: Any) -> None:
        config = uvicorn.Config(
            "erpops.asgi:application",
            http=wire.Protocol,
            host=options["host"],
            port=options["port"],
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=5,
            timeout_keep_alive=30,
            backlog=2048,
            server_header=False,
        )
        # uvicorn chooses uvloop where there is one; asyncio.run alone would not.
        with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
            runner.run(_Server(config).serve())
