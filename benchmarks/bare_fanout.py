"""The least that a server can do: whoever connects is a viewer, a line from the first one goes to all others.

Run as a program; prints its port.
"""

import select
import socket

from benchmarks.rig import many_descriptors


def main() -> None:
    many_descriptors()
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    print(listener.getsockname()[1], flush=True)
    first, _ = listener.accept()
    viewers: list[socket.socket] = []
    poll = select.epoll()
    poll.register(listener, select.EPOLLIN)
    poll.register(first, select.EPOLLIN)
    while True:
        for descriptor, _ in poll.poll():
            if descriptor == listener.fileno():
                viewer, _ = listener.accept()
                viewer.setblocking(False)
                viewers.append(viewer)
                continue
            line = first.recv(65_536)
            if not line:
                return
            for viewer in viewers:
                viewer.send(line)


if __name__ == "__main__":
    main()
