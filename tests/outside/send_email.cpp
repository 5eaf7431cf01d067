#include "send_email.hpp"

#include <cstdint>

boost::asio::awaitable<jobs::Outcome> SendEmail::operator()(jobs::JobContext& context, Mail mail) const {
    if (mail.to.empty()) co_return jobs::Discard{"nobody to send to"};
    std::int64_t sent = 0;
    const auto total = static_cast<std::int64_t>(mail.to.size());
    for (const std::string& to : mail.to) {
        if (context.stop_reason() == jobs::StopReason::cancelled) co_return jobs::Cancel{"cancelled between two mails"};
        outbox_->send(to, mail.subject);
        context.progress(++sent, total, to);
    }
    co_return jobs::Complete{boost::json::object{{"sent", sent}}};
}
