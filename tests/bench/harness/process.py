"""Processes: that they end with this one, and what Linux tells of their processor time and memory."""

import os
import time

_ticks = os.sysconf("SC_CLK_TCK")


def owned(words, signal="TERM"):
    """The command that gets the signal when this process dies, however it does."""
    return ["setpriv", "--pdeathsig", signal, *words]


def _stat(pid):
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()  # the name before may hold anything


def cpu_seconds(pid):
    """User and system time of all its threads, to the nanosecond: the ticks of /proc are 10 ms."""
    clock = (~int(pid) << 3) | 2  # clock_getcpuclockid(3), which Python offers for threads alone
    try:
        return time.clock_gettime(clock)
    except OSError as error:
        raise ProcessLookupError(f"no process {pid}") from error


def family_cpu_seconds(pid):
    """The same of a process, its living children and (in ticks) those that it has waited for."""
    total = cpu_seconds(pid) + sum(int(field) for field in _stat(pid)[13:15]) / _ticks
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        children = file.read().split()
    for child in children:
        try:
            total += cpu_seconds(child)
        except ProcessLookupError:  # ended meanwhile
            pass
    return total


def resident_mb(pid, field="VmRSS"):
    """Resident memory; field VmHWM is its peak."""
    with open(f"/proc/{pid}/status") as file:
        for line in file:
            if line.startswith(field + ":"):
                return int(line.split()[1]) / 1024
    raise RuntimeError(f"no {field} of process {pid}")
