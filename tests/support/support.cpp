// Compiles the header-only helpers on their own, so that each stays self-contained.
#include "tests/support/run.hpp"
