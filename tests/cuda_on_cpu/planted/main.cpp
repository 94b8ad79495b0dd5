// PROGRAM NAME: runs one case. PROGRAM right: runs all cases without a mistake.
#include <cstring>

#include "planted.h"

namespace {

using planted::Case;

void run_all(const Case *const *lists) {
  for (; *lists != nullptr; lists++)
    for (const Case *each = *lists; each->name != nullptr; each++) {
      std::printf("%s\n", each->name);
      std::fflush(stdout);
      each->run();
    }
}

bool run_named(const Case *const *lists, const char *name) {
  for (; *lists != nullptr; lists++)
    for (const Case *each = *lists; each->name != nullptr; each++) {
      if (std::strcmp(each->name, name) != 0) continue;
      each->run();
      return true;
    }
  return false;
}

} // namespace

int main(int argc, char **argv) {
  if (argc != 2) return 64;
  if (std::strcmp(argv[1], "right") == 0) {
    run_all(planted::right_lists);
    return 0;
  }
  const bool found =
      run_named(planted::right_lists, argv[1]) || run_named(planted::wrong_lists, argv[1]);
  return found ? 0 : 64;
}
