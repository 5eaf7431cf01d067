#include "worker/cli/cli.hpp"

int main(int argc, char** argv) {
    return worker::cli::run(argc, argv);
}
