#pragma once

// Reads an endpoint again and again, as Prometheus does, only more often.

#include <atomic>
#include <chrono>
#include <mutex>
#include <string>
#include <thread>

namespace tests {

// The body of one answer. Throws: std::runtime_error when it is not 200.
std::string read_endpoint(int port, const std::string& path);

class Scraper {
public:
    Scraper(int port, std::chrono::milliseconds period);
    ~Scraper();
    Scraper(const Scraper&) = delete;
    Scraper& operator=(const Scraper&) = delete;

    // Ends it and answers how many scrapes succeeded. Throws: what the first one that failed threw.
    int stop();

private:
    void run(int port, std::chrono::milliseconds period);

    std::atomic<bool> stopping_ = false;
    int scrapes_ = 0;             // written by the thread, read after it
    std::exception_ptr failure_;  // the same
    std::thread thread_;
};

}  // namespace tests
