"""How much the image of deploy/Dockerfile adds to the Debian that it begins with: as root, with buildah."""

import contextlib
import os
import stat
import subprocess
import tempfile

from harness.report import arguments, fail_unless, note, print_line

root = os.path.realpath(os.path.join(os.path.dirname(__file__), "../../.."))
script = os.path.join(root, "tests/deploy/image")


@contextlib.contextmanager
def store(options):
    """The folder of a store that has both images: the one that was named, or a new one."""
    if options.store:
        yield options.store
        return
    folder = tempfile.mkdtemp(prefix="task-worker-images-")
    try:
        subprocess.run([script, folder, options.programs], check=True, stdout=subprocess.DEVNULL)
        yield folder
    finally:
        subprocess.run([script, "--remove", folder], check=True)


def buildah(folder, *words):
    environment = os.environ | {"CONTAINERS_STORAGE_CONF": os.path.join(folder, "storage.conf")}
    done = subprocess.run(["buildah", *words], env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.strip()


def files(folder, image):
    """Path, then size and time, of every file of an image, unpacked; of those with several names one is counted."""
    container = buildah(folder, "from", "--pull-never", image)
    top = buildah(folder, "mount", container)
    found, seen = {}, set()
    for path, _, names in os.walk(top):
        for name in names:
            full = os.path.join(path, name)
            facts = os.lstat(full)
            if stat.S_ISREG(facts.st_mode) and facts.st_ino not in seen:
                seen.add(facts.st_ino)
                found[os.path.relpath(full, top)] = (facts.st_size, facts.st_mtime_ns)
    buildah(folder, "rm", container)
    return found


def megabytes(found):
    return sum(size for size, _ in found) / 1e6


def measure(options):
    with store(options) as folder:
        images = buildah(folder, "images", "--format", "{{.Name}}:{{.Tag}}").split()
        (image,) = (name for name in images if name.startswith("localhost/task-worker:"))
        base = files(folder, "localhost/debian:bookworm-slim")
        whole = files(folder, image)
    # What is another file than the base's counts as a whole.
    added = {path: facts for path, facts in whole.items() if base.get(path) != facts}
    for path, (size, _) in sorted(added.items(), key=lambda item: -item[1][0])[:10]:
        note(f"{size / 1e6:6.1f} MB /{path}")
    fields = {
        "added_mb": megabytes(added.values()),
        "program_mb": megabytes([whole["usr/bin/task-worker"]]),
        "base_mb": megabytes(base.values()),
        "files": len(added),
    }
    print_line(options, None, fields)
    fail_unless(fields["added_mb"] < options.limit, f"{fields['added_mb']:.1f} MB, more than {options.limit}")


if __name__ == "__main__":
    measure(
        arguments(
            "image", "What the image adds to its base; --store: of a folder that tests/deploy/image has filled.",
            repeats=1, limit=60, store="",
        )
    )
