// In a file of its own, so that a program that links the library may take other migrations than those of db/migrations.
#include "db/migrations.hpp"

namespace db {

std::span<const Migration> embedded_migrations() {
    return written_migrations();
}

}  // namespace db
