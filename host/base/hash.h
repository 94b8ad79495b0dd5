/* 64-bit FNV-1a (Fowler, Noll, Vo) of bytes: names things by their content. Not
 * a defence against somebody who wants two things to have one name. */
#ifndef GS_BASE_HASH_H
#define GS_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#define GS_HASH_START UINT64_C(0xcbf29ce484222325)

/* The hash of everything before (GS_HASH_START: nothing) followed by the bytes. */
static inline uint64_t gs_hash_bytes(uint64_t before, const void *bytes, size_t length) {
  const unsigned char *at = bytes;
  uint64_t hash = before;
  for (size_t i = 0; i < length; i++) hash = (hash ^ at[i]) * UINT64_C(0x100000001b3);
  return hash;
}

#endif
