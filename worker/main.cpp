#include "worker/cli/cli.hpp"

// GnuTLS comes along with libpq, by way of LDAP, and would set itself up whenever a program starts: 0.8 MB that nobody
// uses. It asks for this function, weak in the library, first; whoever does use it sets it up by a call.
// Source: GNUTLS_SKIP_GLOBAL_INIT of gnutls.h.
extern "C" int _gnutls_global_init_skip() {  // NOLINT(bugprone-reserved-identifier): its name for it
    return 1;
}

int main(int argc, char** argv) {
    return worker::cli::run(argc, argv);
}
