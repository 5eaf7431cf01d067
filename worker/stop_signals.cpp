#include "worker/stop_signals.hpp"

#include <signal.h>

#include <initializer_list>

namespace worker {

namespace {
void change_mask(int how) {
    sigset_t signals;
    sigemptyset(&signals);
    for (const int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, number);
    ::pthread_sigmask(how, &signals, nullptr);
}
}  // namespace

void hold_stop_signals() {
    change_mask(SIG_BLOCK);
}

void release_stop_signals() {
    change_mask(SIG_UNBLOCK);
}

}  // namespace worker
