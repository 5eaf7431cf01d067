"""The same as latency at a steady load."""

from harness.report import arguments
from measures.latency import measure

if __name__ == "__main__":
    measure(
        arguments(
            "offered", "Latency at --rate jobs a second; --peers 1: beside graphile-worker and pg-boss.",
            rate=500, seconds=20, peers=0,
        )
    )
