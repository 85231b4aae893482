# SPDX-License-Identifier: Apache-2.0
"""The link of a memif, in somebody's hands: its control channel is led through this process, which
can cut it. The shared memory is passed on, and remains the two ends' own."""

import contextlib
import os
import select
import socket
import tempfile
import threading


class MemifLink:
    """Listens where the client looks for its server, and leads it there; but not while frozen."""

    def __init__(self, folder, frozen):
        self.near = os.path.join(folder, "near")
        self.far = os.path.join(folder, "far")
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listener.bind(self.near)
        self._listener.listen(1)
        self._thawed = threading.Event()
        if not frozen:
            self._thawed.set()
        self._cut = threading.Event()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def cut(self):
        """Ends what is connected; the client finds the way anew."""
        self._cut.set()

    def thaw(self):
        self._thawed.set()

    def close(self):
        self._end.set()
        self._cut.set()
        self._thread.join()
        self._listener.close()

    def _run(self):
        while not self._end.is_set():
            if not self._thawed.wait(0.1) or not select.select([self._listener], [], [], 0.1)[0]:
                continue
            near, _ = self._listener.accept()
            far = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with near, far, contextlib.suppress(OSError):
                far.connect(self.far)
                self._cut.clear()
                self._relay(near, far)

    def _relay(self, near, far):
        while not self._cut.is_set():
            for source in select.select([near, far], [], [], 0.02)[0]:
                data, descriptors, _, _ = socket.recv_fds(source, 4096, 4)
                if not data:
                    return
                socket.send_fds(far if source is near else near, [data], descriptors)
                for descriptor in descriptors:
                    os.close(descriptor)


@contextlib.contextmanager
def memif_link(frozen=False):
    with tempfile.TemporaryDirectory() as folder:
        link = MemifLink(folder, frozen)
        try:
            yield link
        finally:
            link.close()
