#pragma once

// The http handler: each attempt is a POST to a URL of the API, so that a job runs where the rest of the API's code
// does.
//
// The body is the job as an exec handler's program gets it (jobs/exec_input.hpp). Headers besides Content-Type:
//
//   webhook-id         job_128: the same for each attempt of a job
//   webhook-timestamp  seconds since 1970, of this attempt
//   webhook-signature  jobs/http_signature.hpp; only with a secret
//   Idempotency-Key    as webhook-id
//   traceparent        of the enqueue, if it gave one
//
// The answer decides the outcome: jobs/http_answer.hpp. What brings no answer is a retry: a server that cannot be
// reached within 10 s, a wrong certificate, a connection that breaks.

#include "jobs/counters.hpp"
#include "jobs/handler.hpp"
#include "jobs/http_client.hpp"
#include "jobs/http_spec.hpp"

#include <memory>

namespace jobs {

// Handlers share a client, which limits the connections to one host.
//
// Cancellation: by the context's stop token alone; that of Asio is ignored. It closes the connection; the API is not
//               told otherwise.
Handler make_http_handler(
    HttpSpec spec, std::shared_ptr<HttpClient> client, std::shared_ptr<HttpCounters> counters = {}
);

}  // namespace jobs
