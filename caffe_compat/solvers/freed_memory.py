"""Keeps memory that a training frees, for its next iteration. It stands apart because it is about the C library."""

import ctypes
import os
import platform
import sys

#: Whoever sets one of these has chosen.
CHOICES = {"MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES", "LD_PRELOAD"}
#: Parameters of glibc's mallopt (malloc.h), and their values: free memory at the heap's end is never given back, and
#: blobs of up to 32 MiB (the largest value that there is) lie in the heap.
TRIM_THRESHOLD, NEVER = -1, -1
MMAP_THRESHOLD, LARGEST = -3, 32 * 2**20


def keep_freed_memory() -> bool:
    """Makes the process keep memory that it frees; returns whether the C library can.

    Otherwise some memory goes back to the system after each iteration, which clears it before it lends it again.
    """
    if sys.platform != "linux" or platform.libc_ver()[0] != "glibc" or CHOICES & os.environ.keys():
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return all([mallopt(TRIM_THRESHOLD, NEVER), mallopt(MMAP_THRESHOLD, LARGEST)])
