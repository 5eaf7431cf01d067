#pragma once

#include "jobs/handler.hpp"

#include <boost/describe.hpp>

#include <string>
#include <vector>

struct Mail {
    std::vector<std::string> to;
    std::string subject;
};
BOOST_DESCRIBE_STRUCT(Mail, (), (to, subject))

// Where mails go. A test has its own.
class Outbox {
public:
    virtual ~Outbox() = default;
    virtual void send(const std::string& to, const std::string& subject) = 0;
};

// A coroutine handler: reports progress, stops between two mails.
class SendEmail {
public:
    explicit SendEmail(Outbox& outbox) : outbox_(&outbox) {}
    boost::asio::awaitable<jobs::Outcome> operator()(jobs::JobContext& context, Mail mail) const;

private:
    Outbox* outbox_;
};
