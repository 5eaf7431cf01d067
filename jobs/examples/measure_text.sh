#!/bin/sh
# Measures text files: an example of a handler in shell, for `mode: stream` and, unchanged, for plain exec.
#
#   args    {"path": "/folder/file.txt"}
#   result  {"lines": 2, "words": 9, "characters": 48}
#
# Each line of stdin is a job; each job is answered with one line. A shell has no JSON parser: this one takes a path
# without quotes and backslashes, and says so of any other.
set -u
export LC_ALL=C.UTF-8

while IFS= read -r job; do
    attempt=${job#*'"attempt":'}
    echo "measuring for attempt ${attempt%%,*}" >&2 # the job's log
    path=$(printf '%s\n' "$job" | sed -n 's/.*"args":{"path":"\([^"\\]*\)"}}$/\1/p')
    if [ -z "$path" ]; then
        echo '{"discard":"args need a \"path\""}'
    elif [ ! -e "$path" ]; then
        echo "{\"discard\":\"no such file: $path\"}" # another attempt would not find it either
    elif [ ! -r "$path" ] || [ -d "$path" ]; then
        echo "{\"retry\":{\"after\":60,\"error\":\"cannot be read: $path\"}}"
    else
        counts=$(wc -lwm <"$path")
        set -- $counts
        echo "{\"result\":{\"lines\":$1,\"words\":$2,\"characters\":$3}}"
    fi
done
