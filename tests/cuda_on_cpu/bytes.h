// Copies and fills that no sanitizer sees: memcpy and memset would be reported
// as accesses by whichever CUDA thread happens to run.
#ifndef GS_CUDA_ON_CPU_BYTES_H
#define GS_CUDA_ON_CPU_BYTES_H

#include <cstddef>

namespace gs_sim {

void copy_bytes(void *to, const void *from, size_t bytes);
void fill_bytes(void *to, unsigned char value, size_t bytes);
bool bytes_are(const unsigned char *first, unsigned char value, size_t bytes);

} // namespace gs_sim

#endif
