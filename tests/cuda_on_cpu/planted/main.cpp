// planted NAME: runs one case; planted right: all cases without a mistake.
#include <cstring>

#include "planted.h"

namespace {

using planted::Case;

const Case *const right[] = {planted::right_cases, planted::right_stream_cases,
                             planted::right_matmul_cases};
const Case *const wrong[] = {planted::wrong_cases, planted::wrong_stream_cases,
                             planted::wrong_matmul_cases};

int run_all_right() {
  for (const Case *list : right)
    for (const Case *each = list; each->name != nullptr; each++) {
      std::printf("%s\n", each->name);
      std::fflush(stdout);
      each->run();
    }
  return 0;
}

int run_named(const Case *const *lists, size_t count, const char *name) {
  for (size_t i = 0; i < count; i++)
    for (const Case *each = lists[i]; each->name != nullptr; each++) {
      if (std::strcmp(each->name, name) != 0) continue;
      each->run();
      return 0;
    }
  return 64;
}

} // namespace

int main(int argc, char **argv) {
  if (argc != 2) return 64;
  if (std::strcmp(argv[1], "right") == 0) return run_all_right();
  const int status = run_named(right, 3, argv[1]);
  return status != 64 ? status : run_named(wrong, 3, argv[1]);
}
