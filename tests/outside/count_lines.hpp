#pragma once

#include "jobs/blocking.hpp"

#include <boost/describe.hpp>

#include <string>

struct CountLines {
    std::string path;
};
BOOST_DESCRIBE_STRUCT(CountLines, (), (path))

// A handler that blocks: a plain function.
jobs::Outcome count_lines(jobs::JobContext& context, const CountLines& args);
