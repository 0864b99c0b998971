"""`kubectl exec`: a process in a pod's container over a websocket, without a terminal."""

import json
import os
import threading
from typing import Any

from kubernetes.stream.ws_client import ERROR_CHANNEL, STDERR_CHANNEL, STDOUT_CHANNEL, WSClient, get_websocket_url
from websocket import ABNF, WebSocketBadStatusException, WebSocketException

from runbooks.standins.elsewhere import Stopped, noted
from runbooks.standins.ending import Ended, Lost, NotUnderstood, err, raw
from runbooks.standins.kubectl.cluster import Cluster, refusal
from runbooks.standins.kubectl.pods import POD, container_of, pod_of
from runbooks.standins.words import Given

# Only this version can say that the input has ended.
_WITH_INPUT = "v5.channel.k8s.io"
_STREAMS = {STDOUT_CHANNEL: "out", STDERR_CHANNEL: "err"}
_READ = 32768


def run(cluster: Cluster, given: Given) -> int:
    """The exit status of a command in a container."""
    if given.on("tty"):
        raise NotUnderstood("the option --tty: there is no terminal here")
    [word, *command] = [*given.words, *given.after]
    if not command:
        raise Ended(1, "error: you must specify at least one command for the container")
    pod = pod_of(cluster, word)
    name, phase = pod["metadata"]["name"], pod["status"].get("phase")
    if phase in ("Succeeded", "Failed"):
        raise Ended(1, f"error: cannot exec into a container in a completed pod; current phase is {phase}")
    container = container_of(pod, given)
    fed = given.on("stdin") and not _nothing_to_read()
    try:
        with noted(f"`{command[0]}` in pod {name}"):
            client = _connected(cluster, name, container, command, fed=fed)
            if fed:
                threading.Thread(target=_feed, args=(client,), daemon=True).start()
            return _attend(client)
    except Stopped:
        # The API has no way to end it: the note stays.
        err(f"kubectl: told to end; what it had started in pod {name} may go on.")
        return 143


def _connected(cluster: Cluster, name: str, container: str, command: list[str], *, fed: bool) -> WSClient:
    query = [("command", word) for word in command] + [("container", container), ("stdout", "true"), ("stderr", "true")]
    query += [("stdin", "true")] if fed else []
    url = get_websocket_url(cluster.host + POD.path(cluster.namespace, name, "exec"), query)
    headers = {**cluster.authorization(), **({"sec-websocket-protocol": _WITH_INPUT} if fed else {})}
    try:
        return WSClient(cluster.configuration, url, headers, capture_all=False, binary=True)
    except WebSocketBadStatusException as error:
        raise refusal(error.status_code, error.resp_body or b"") from None
    except (WebSocketException, OSError) as error:
        raise cluster.unreachable(error) from None


def _attend(client: WSClient) -> int:
    """Pass its output on until it has ended; its exit status, or the cluster's word on why there is none."""
    said = b""
    try:
        # Frame by frame: the client's own loop keeps a flood in memory before it gives any of it.
        while not said:
            opcode, frame = client.sock.recv_data_frame(True)
            if opcode == ABNF.OPCODE_CLOSE:
                break
            if opcode not in (ABNF.OPCODE_BINARY, ABNF.OPCODE_TEXT) or len(frame.data) < 2:
                continue
            channel, data = frame.data[0], frame.data[1:]
            if channel in _STREAMS:
                raw(_STREAMS[channel], data)
            elif channel == ERROR_CHANNEL:
                said = data
    except (WebSocketException, OSError) as error:
        raise Lost(1, f"error: the connection to the pod was lost: {error}") from None
    return _status(said)


def _status(said: bytes) -> int:
    if not said:
        raise Lost(1, "error: the connection to the pod ended without an exit status")
    try:
        found: dict[str, Any] = json.loads(said)
    except ValueError:
        raise Ended(1, f"error: {said.decode(errors='replace')}") from None
    if found.get("status") == "Success":
        return 0
    for cause in (found.get("details") or {}).get("causes") or []:
        if cause.get("reason") == "ExitCode":
            raise Ended(int(cause["message"]), f"command terminated with exit code {cause['message']}")
    raise Ended(1, f"error: {found.get('message', 'the command could not be run')}")


def _nothing_to_read() -> bool:
    """Whether standard input is the empty device."""
    try:
        return os.fstat(0).st_rdev == os.stat(os.devnull).st_rdev  # noqa: PTH116
    except OSError:
        return True


def _feed(client: WSClient) -> None:
    try:
        while piece := os.read(0, _READ):
            client.write_stdin(piece)
        client.close_channel(0)
    except (WebSocketException, OSError):
        # The process has ended before it has read everything.
        return
