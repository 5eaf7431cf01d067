#!/usr/bin/env -S python3 -I -S
"""peak_memory.py FILE PROGRAM WORD...: runs a program, and writes into FILE how much resident memory it had at most,
in kB. Linux counts what a parent had when it forked as its child's, so the parent has to be as small as this one."""

import os
import sys

child = os.posix_spawn(sys.argv[2], sys.argv[2:], os.environ)
_, status, usage = os.wait4(child, 0)
with open(sys.argv[1], "w") as file:
    file.write(str(usage.ru_maxrss))
sys.exit(os.waitstatus_to_exitcode(status))
