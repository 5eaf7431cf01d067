#!/bin/sh
# Counts the lines, the words and the most frequent terms of one file: an example of a program for the exec handler.
#
#   args    {"path": "/folder/file.txt"}   a file that ends in .gz is decompressed
#   result  {"lines": 2, "words": 9, "terms": [{"term": "queue", "count": 3}, ...]}
#
# The worker gives the job as JSON on stdin and each scalar member of args in the environment, so that no JSON parser
# is needed here. A word is what stands between white space; a term is a run of letters and digits of ASCII that starts
# with a letter and has four characters or more, in lower case: so the result is valid JSON whatever the file holds.
# Exit 65 (EX_DATAERR) makes the job a dead letter: another attempt would not find another file.
set -u
export LC_ALL=C # bytes, not characters: any file is valid then, and awk is fastest

refuse() {
    printf '%s\n' "$1" >&2
    exit 65
}

path=${ARG_PATH-}
[ -n "$path" ] || refuse 'args need a "path"'
[ -e "$path" ] || refuse "no such file: $path"
[ -f "$path" ] || refuse "not a file: $path"
[ -r "$path" ] || refuse "not readable: $path"

# The program for awk stays in one process for the whole file: what a shell loop would start processes for, it counts.
count() {
    awk '
        function report(total) {
            printf "{\"progress\":{\"done\":%.0f,\"total\":%.0f,\"message\":\"lines\"}}\n", NR, total
            fflush()
        }
        {
            words += NF
            found = split($0, term, /[^A-Za-z0-9]+/) # not gsub or tolower: in mawk they stop at a NUL
            for (i = 1; i <= found; i++) seen[term[i]]++
            if (NR % 20000 == 0) report(0) # 0: how many there are is not known yet
        }
        END {
            for (word in seen) count[tolower(word)] += seen[word]
            for (word in count) {
                if (length(word) < 4 || length(word) > 64 || word !~ /^[a-z]/) continue
                # Keeps the ten best, best first; equal counts in alphabetical order.
                for (at = best; at > 0 && (count[word] > n[at] || (count[word] == n[at] && word < top[at])); at--) {
                    n[at + 1] = n[at]
                    top[at + 1] = top[at]
                }
                n[at + 1] = count[word]
                top[at + 1] = word
                if (best < 10) best++
            }
            report(NR)
            printf "{\"result\":{\"lines\":%.0f,\"words\":%.0f,\"terms\":[", NR, words
            for (i = 1; i <= best; i++) printf "%s{\"term\":\"%s\",\"count\":%.0f}", (i > 1 ? "," : ""), top[i], n[i]
            print "]}}"
        }'
}

case $path in
*.gz)
    # A pipe loses the exit code of its first command: it comes back beside the counts.
    { damaged=$({ { gzip -dcf <"$path" || echo $? >&3; } | count >&4; } 3>&1); } 4>&1
    [ "${damaged:-2}" = 2 ] || refuse "damaged: $path" # 2 is a warning only
    ;;
*) count <"$path" ;;
esac
