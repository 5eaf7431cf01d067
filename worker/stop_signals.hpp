#pragma once

// SIGTERM, SIGINT and SIGHUP before the process can stop in order: they wait. Without it one that comes so early would
// end the process unheard; as the first process of a container, for which the kernel drops what nobody handles, not
// even that.

namespace worker {

// Until release_stop_signals: all are kept for later. Thread: the main one, before there are others.
void hold_stop_signals();

// Once they are handled: what came meanwhile arrives now. Thread: the same; others, started meanwhile, never get them.
void release_stop_signals();

}  // namespace worker
