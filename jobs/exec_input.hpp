#pragma once

// What a program is told about its job: the document on its standard input and its environment. Pure.

#include "jobs/context.hpp"
#include "jobs/exec_spec.hpp"

#include <map>
#include <string>
#include <vector>

namespace jobs {

// {"id", "kind", "queue", "attempt", "max_attempts", "batch_id", "args", "traceparent"} in one line, newline included;
// batch_id and traceparent are null when the job has none.
std::string job_document(const Job& job);

// The part of a program's environment that all jobs share: of the worker's own PATH, HOME, LANG, LC_*, TZ, TMPDIR, USER
// and what the spec passes; over them what the spec sets. `own` is an environ: pointers to NAME=value, then null.
std::map<std::string, std::string> shared_environment(const ExecSpec& spec, const char* const* own);

// The environment of one attempt, as NAME=value: the shared part, and over it JOB_ID, JOB_KIND, JOB_QUEUE, JOB_ATTEMPT,
// JOB_MAX_ATTEMPTS, JOB_BATCH_ID and TRACEPARENT (the last two where the job has them), and ARG_<NAME> for each
// scalar member of args: the name in upper case with _ for whatever is not a letter or digit of ASCII; strings bare,
// numbers and booleans as JSON. Left out, and to be read from the document: null, strings with a NUL, values over
// 64 KiB, whatever comes after 512 KiB of them, and the second of two names that come out alike.
std::vector<std::string> job_environment(const std::map<std::string, std::string>& shared, const Job& job);

}  // namespace jobs
