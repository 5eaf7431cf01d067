#include "queue/bundle.hpp"

namespace queue {

std::vector<Mask> cut(Mask pending, int jobs) {
    std::vector<Mask> pieces;
    int room = 0;
    for (int n = 0; n < max_bundle_jobs; ++n) {
        if ((pending & bit(n)) == 0) continue;
        if (room == 0) {
            pieces.push_back(0);
            room = jobs;
        }
        pieces.back() |= bit(n);
        --room;
    }
    return pieces;
}

}  // namespace queue
