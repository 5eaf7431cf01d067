"""The same as latency at a steady load."""

from harness.report import arguments
from measures.latency import measure

if __name__ == "__main__":
    measure(arguments("offered", "Latency at a given number of jobs a second.", rate=500, seconds=20))
