#include "bytes.h"

namespace gs_sim {

#ifdef __x86_64__
void copy_bytes(void *to, const void *from, size_t bytes) {
  asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(bytes) : : "memory");
}

void fill_bytes(void *to, unsigned char value, size_t bytes) {
  asm volatile("rep stosb" : "+D"(to), "+c"(bytes) : "a"(value) : "memory");
}
#else
void copy_bytes(void *to, const void *from, size_t bytes) {
  for (size_t i = 0; i < bytes; i++)
    static_cast<volatile unsigned char *>(to)[i] = static_cast<const unsigned char *>(from)[i];
}

void fill_bytes(void *to, unsigned char value, size_t bytes) {
  for (size_t i = 0; i < bytes; i++) static_cast<volatile unsigned char *>(to)[i] = value;
}
#endif

bool bytes_are(const unsigned char *first, unsigned char value, size_t bytes) {
  for (size_t i = 0; i < bytes; i++)
    if (first[i] != value) return false;
  return true;
}

} // namespace gs_sim
