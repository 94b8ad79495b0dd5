// A place in a kernel's source.
#ifndef GS_CUDA_ON_CPU_SITE_H
#define GS_CUDA_ON_CPU_SITE_H

#include <cstring>

namespace gs_sim {

struct Site {
  const char *file;
  int line;
};

inline bool operator==(const Site &a, const Site &b) {
  return a.line == b.line && (a.file == b.file || std::strcmp(a.file, b.file) == 0);
}
inline bool operator!=(const Site &a, const Site &b) { return !(a == b); }

} // namespace gs_sim

#endif
