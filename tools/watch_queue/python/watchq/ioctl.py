# SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
"""Numbers of ioctls, as in <asm/ioctl.h>"""
import ctypes
import os

_machine = os.uname().machine
if _machine.startswith(("alpha", "mips", "ppc", "sparc")):
    _NONE, _WRITE, _SIZE_BITS = 1, 4, 13
elif _machine.startswith("parisc"):
    _NONE, _WRITE, _SIZE_BITS = 0, 2, 14
else:
    _NONE, _WRITE, _SIZE_BITS = 0, 1, 14


def _IOC(direction, kind, number, size):
    return direction << (16 + _SIZE_BITS) | size << 16 | ord(kind) << 8 | number


def _IO(kind, number):
    return _IOC(_NONE, kind, number, 0)


def _IOW(kind, number, structure):
    return _IOC(_WRITE, kind, number, ctypes.sizeof(structure))
