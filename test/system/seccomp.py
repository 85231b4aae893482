# SPDX-License-Identifier: Apache-2.0
"""Forbids io_uring to this process and what it executes, as container runtimes do."""

import ctypes
import platform
import struct

PR_SET_NO_NEW_PRIVS = 38
PR_SET_SECCOMP = 22
SECCOMP_MODE_FILTER = 2
IO_URING_SETUP = 425  # The same on every architecture.
RET_ALLOW = 0x7FFF0000
RET_ERRNO_EPERM = 0x00050000 | 1
LOAD_NUMBER = (0x20, 0, 0, 0)  # BPF_LD | BPF_W | BPF_ABS: seccomp_data.nr
JUMP_IF_EQUAL = 0x15
RETURN = 0x06


def supported():
    return platform.system() == "Linux"


def forbid_io_uring():
    """For subprocess's `preexec_fn`."""
    program = [LOAD_NUMBER, (JUMP_IF_EQUAL, 0, 1, IO_URING_SETUP), (RETURN, 0, 0, RET_ERRNO_EPERM),
               (RETURN, 0, 0, RET_ALLOW)]
    code = b"".join(struct.pack("HBBI", *step) for step in program)
    steps = ctypes.create_string_buffer(code, len(code))

    class Filter(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("steps", ctypes.c_void_p)]

    libc = ctypes.CDLL(None, use_errno=True)
    filters = Filter(len(program), ctypes.cast(steps, ctypes.c_void_p))
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "no_new_privs")
    if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(filters), 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "seccomp")
