#pragma once

// A headless Chromium that shows one page, driven by its DevTools protocol.

#include "tests/support/process.hpp"
#include "tests/support/temporary_folder.hpp"

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace tests {

class Browser {
public:
    static bool is_installed();

    // Starts it, with a window of that many CSS pixels. Throws: std::runtime_error with what it wrote.
    Browser(int width, int height);
    ~Browser();
    Browser(const Browser&) = delete;
    Browser& operator=(const Browser&) = delete;

    void open(const std::string& url);
    void resize(int width, int height);
    void prefer_dark(bool dark);

    // What an expression of JavaScript has become; promises are awaited. Throws: std::runtime_error when it throws.
    boost::json::value evaluate(const std::string& expression);
    // Returns once the expression is true of the page, as it is or after it changed. Throws: std::runtime_error with
    // the page's text after half a minute.
    void await(const std::string& expression);
    // The page shows this text, at once or later.
    void await_text(const std::string& text);
    std::string text();

    // Errors, exceptions and refused loads that the page has had so far.
    std::vector<std::string> complaints();
    // A PNG of the whole page.
    void save_picture(const std::string& path);

private:
    struct Wire;
    boost::json::value call(std::string_view method, boost::json::object parameters = {});

    TemporaryFolder folder_;
    Process process_;
    std::unique_ptr<Wire> wire_;
    std::vector<std::string> complaints_;
};

}  // namespace tests
