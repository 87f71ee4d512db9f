"""A process that cannot outlive its parent, asked for by the process itself.

What `zhiwan up` starts directly gets the death signal in `embedded/child.py`. Granian's workers are its grandchildren:
they ask for the signal themselves, so that it travels on when granian is ended.
"""

from __future__ import annotations

import ctypes
import os
import signal

from zhiwan.run.embedded.child import PR_SET_PDEATHSIG


def die_with_parent(sig: int = signal.SIGKILL) -> None:
    """From now on this process gets `sig` when the thread that forked it ends."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, int(sig), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() == 1:  # the parent ended before we asked (in a container pid 1 may be a true parent: `up` is not)
        os._exit(1)
