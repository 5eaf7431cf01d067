#pragma once

// One request of jobs/http_client.hpp as libcurl sees it: its options, and what its callbacks collect.

#include "jobs/http_client.hpp"

#include <array>
#include <curl/curl.h>
#include <memory>
#include <string>

namespace jobs {

struct EasyDeleter {
    void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct ListDeleter {
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using EasyHandle = std::unique_ptr<CURL, EasyDeleter>;
using HeaderList = std::unique_ptr<curl_slist, ListDeleter>;

// Stays where it is while libcurl works on it.
class HttpTransfer {
public:
    // A handle with what all requests have in common.
    static EasyHandle make_easy(const std::string& user_agent);

    // With a handle of make_easy() or take_easy().
    HttpTransfer(HttpRequest request, EasyHandle easy);
    HttpTransfer(const HttpTransfer&) = delete;
    HttpTransfer& operator=(const HttpTransfer&) = delete;

    CURL* easy() const { return easy_.get(); }
    // For another transfer: a new one costs more.
    EasyHandle take_easy() { return std::move(easy_); }

    // What came of it, once libcurl is done.
    boost::system::result<HttpExchange, HttpFailure> finish(CURLcode code);

private:
    static std::size_t on_header(char* bytes, std::size_t size, std::size_t count, void* self);
    static std::size_t on_body(char* bytes, std::size_t size, std::size_t count, void* self);
    bool take_body(std::string_view bytes);

    HttpRequest request_;
    EasyHandle easy_;
    HeaderList headers_;
    HttpAnswer answer_;
    std::size_t header_bytes_ = 0;
    std::size_t dropped_ = 0;  // bytes of the body that were not kept
    std::array<char, CURL_ERROR_SIZE> error_{};
};

}  // namespace jobs
