"""The drain of jobs that were enqueued one by one: a row each."""

from harness.report import arguments
from measures.drain import measure

if __name__ == "__main__":
    measure(
        arguments("singles", "Drains jobs that were enqueued one by one.", jobs=200_000),
        bundle=1, floor_bundle=1, with_history=False,
    )
