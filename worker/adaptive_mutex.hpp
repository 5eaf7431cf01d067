#pragma once

// A mutex for critical sections of well under a microsecond: who finds it taken looks again some times before it
// sleeps. With std::mutex, two threads that run jobs of a microsecond spend more time on system calls than on jobs.

#include <pthread.h>

namespace worker {

class AdaptiveMutex {
public:
    AdaptiveMutex() {
        pthread_mutexattr_t kind;
        pthread_mutexattr_init(&kind);
        pthread_mutexattr_settype(&kind, PTHREAD_MUTEX_ADAPTIVE_NP);  // glibc's; these calls cannot fail there
        pthread_mutex_init(&mutex_, &kind);
        pthread_mutexattr_destroy(&kind);
    }
    ~AdaptiveMutex() { pthread_mutex_destroy(&mutex_); }
    AdaptiveMutex(const AdaptiveMutex&) = delete;
    AdaptiveMutex& operator=(const AdaptiveMutex&) = delete;

    void lock() { pthread_mutex_lock(&mutex_); }
    void unlock() { pthread_mutex_unlock(&mutex_); }

private:
    pthread_mutex_t mutex_{};
};

}  // namespace worker
