#!/usr/bin/env python3
"""Measures text files: an example of a handler in Python, for `mode: stream` and, unchanged, for plain exec.

  args    {"path": "/folder/file.txt"}
  result  {"lines": 2, "words": 9, "characters": 48}

Each line of stdin is a job; each job is answered with one line, written out at once (flush). Whatever must be loaded
slowly is loaded once, up here.
"""

import json
import sys

REPORT_EVERY = 10_000  # lines


def say(job, message):
    # The id is not needed; with it no answer can ever be taken for that to another job.
    print(json.dumps({"id": job["id"], **message}), flush=True)


def measure(job):
    path = job["args"]["path"]
    lines = words = characters = 0
    with open(path, encoding="utf-8") as text:
        for line in text:
            lines += 1
            words += len(line.split())
            characters += len(line)
            if lines % REPORT_EVERY == 0:
                say(job, {"progress": {"done": lines, "total": 0, "message": "lines"}})
    return {"lines": lines, "words": words, "characters": characters}


def answer(job):
    """What comes of a job: an exception that is caught nowhere ends the program, and the job is retried."""
    try:
        return {"result": measure(job)}
    except (KeyError, TypeError):
        return {"discard": 'args need a "path"'}
    except FileNotFoundError as error:
        return {"discard": f"no such file: {error.filename}"}  # another attempt would not find it either
    except UnicodeDecodeError as error:
        return {"discard": f"not UTF-8: {error.reason} at byte {error.start}"}
    except OSError as error:
        return {"retry": {"after": 60, "error": str(error)}}


for line in sys.stdin:
    job = json.loads(line)
    print(f"measuring for attempt {job['attempt']}", file=sys.stderr, flush=True)  # the job's log
    say(job, answer(job))
