/* The machine's own limits, measured with the device's number of threads: a loop
 * of fused multiply-adds on registers, and a copy between arrays larger than any
 * cache. The best of several rounds counts: a limit is not an average.
 *
 * Compiled with contraction on (this file alone), so that a * b + c is one
 * instruction where the machine has it. */
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "device/cpu_internal.h"

/* Ten independent chains of one vector each: enough to fill two pipes of latency
 * 4 or 5, few enough to stay in registers. */
enum { CHAINS = 10, TURNS = 1 << 19, ROUNDS = 8 };

/* The widest vector of the target. */
#if defined(__AVX512F__)
enum { VECTOR_BYTES = 64 };
#elif defined(__AVX__)
enum { VECTOR_BYTES = 32 };
#else
enum { VECTOR_BYTES = 16 };
#endif

/* All lanes of all chains enter the result, or the compiler would drop them. */
#define FMA_LOOP(name, type)                                                                       \
  typedef type name##_vector __attribute__((vector_size(VECTOR_BYTES)));                           \
  static double name##_loop(double seed) {                                                         \
    const name##_vector f = (name##_vector){0} + (type)(1 - 1e-7 * seed);                          \
    const name##_vector a = (name##_vector){0} + (type)(1e-7 * seed);                              \
    name##_vector c0 = a, c1 = a + 1, c2 = a + 2, c3 = a + 3, c4 = a + 4;                          \
    name##_vector c5 = a + 5, c6 = a + 6, c7 = a + 7, c8 = a + 8, c9 = a + 9;                      \
    for (int turn = 0; turn < TURNS; turn++) {                                                     \
      c0 = c0 * f + a, c1 = c1 * f + a, c2 = c2 * f + a, c3 = c3 * f + a, c4 = c4 * f + a;         \
      c5 = c5 * f + a, c6 = c6 * f + a, c7 = c7 * f + a, c8 = c8 * f + a, c9 = c9 * f + a;         \
    }                                                                                              \
    const name##_vector all = c0 + c1 + c2 + c3 + c4 + c5 + c6 + c7 + c8 + c9;                     \
    double sum = 0;                                                                                \
    for (size_t k = 0; k < VECTOR_BYTES / sizeof(type); k++) sum += (double)all[k];                \
    return sum;                                                                                    \
  }
FMA_LOOP(f32, float)
FMA_LOOP(f64, double)
#undef FMA_LOOP

static double measure_flops(int threads, double (*loop)(double), double lanes) {
  const double flops = 2.0 * lanes * CHAINS * TURNS * threads;
  double best = 0;
  volatile double sink = 0;
  for (int round = 0; round < ROUNDS; round++) {
    double sum = 0;
    double start = 0;
    double stop = 0;
#pragma omp parallel num_threads(threads) reduction(+ : sum)
    {
      sum += loop(1); /* warm up */
#pragma omp barrier
#pragma omp single
      start = gs_clock_s();
      sum += loop(2);
#pragma omp barrier
#pragma omp single
      stop = gs_clock_s();
    }
    sink = sink + sum;
    if (flops / (stop - start) > best) best = flops / (stop - start);
  }
  return best;
}

/* Bytes read plus bytes written per second. */
static double measure_copy(int threads, unsigned char *from, unsigned char *to, size_t bytes) {
  const size_t part = bytes / (size_t)threads;
  double best = 0;
  for (int round = 0; round < ROUNDS; round++) {
    const double start = gs_clock_s();
#pragma omp parallel num_threads(threads)
    {
      const size_t first = part * (size_t)omp_get_thread_num();
      memcpy(to + first, from + first, part);
    }
    const double rate = 2.0 * (double)(part * (size_t)threads) / (gs_clock_s() - start);
    if (round > 0 && rate > best) best = rate; /* round 0 touches the pages */
  }
  return best;
}

gs_status gs_cpu_roofline(gs_device *device, gs_roofline *roofline) {
  const int threads = gs_cpu(device)->threads;
  const size_t bytes = (size_t)128 << 20; /* past the last cache of today's machines */
  unsigned char *from = malloc(bytes);
  unsigned char *to = malloc(bytes);
  gs_status status = GS_OK;
  memset(roofline, 0, sizeof *roofline);
  if (from && to) {
    memset(from, 1, bytes);
    roofline->flops_per_s[GS_F32] =
        measure_flops(threads, f32_loop, VECTOR_BYTES / (double)sizeof(float));
    roofline->flops_per_s[GS_F64] =
        measure_flops(threads, f64_loop, VECTOR_BYTES / (double)sizeof(double));
    roofline->copy_bytes_per_s = measure_copy(threads, from, to, bytes);
  } else {
    status = GS_FAIL(&device->error, GS_ERR_MEMORY, "no memory to measure the copy rate");
  }
  free(from);
  free(to);
  return status;
}
