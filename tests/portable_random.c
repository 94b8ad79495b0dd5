/* Prints hashes of everything random: the same lines from every compiler, at
 * every optimisation level, on every machine. tests/portable_random.sh builds
 * it in many ways and compares; tests/test_random.c holds the same hashes. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/orthogonal.h"
#include "base/random.h"

enum { COUNT = 1 << 18 };

typedef void generator(float *out, uint64_t first, size_t count, uint64_t seed, uint32_t tensor_id,
                       uint32_t replica);

static void print_stream(const char *name, generator *generate, float *values) {
  generate(values, 3, COUNT, UINT64_C(0x123456789abcdef), 7, 11);
  printf("%s %016" PRIx64 "\n", name, gs_hash_floats(values, 3, COUNT, 7));
}

/* Also of the workspace: a change in the last digits of float64 hardly ever
 * shows in the rounded matrix. */
static void print_orthogonal(int64_t rows, int64_t cols, float *values, double *workspace) {
  const size_t doubles = gs_random_orthogonal_workspace(rows, cols);
  uint64_t sum = 0;
  gs_random_orthogonal(values, rows, cols, 1.5, 99, 4, 2, workspace);
  for (size_t i = 0; i < doubles; i++) {
    uint64_t bits;
    memcpy(&bits, &workspace[i], sizeof bits);
    sum += gs_hash_mix(bits + i);
  }
  printf("orthogonal %" PRId64 " x %" PRId64 " %016" PRIx64 " %016" PRIx64 "\n", rows, cols,
         gs_hash_floats(values, 0, (size_t)(rows * cols), 4), sum);
}

int main(void) {
  float *values = malloc(COUNT * sizeof *values);
  double *workspace = calloc(gs_random_orthogonal_workspace(100, 70), sizeof *workspace);
  if (values && workspace) {
    print_stream("normal", gs_random_normal, values);
    print_stream("uniform", gs_random_uniform, values);
    print_stream("truncated", gs_random_truncated, values);
    print_stream("two uniforms", gs_random_two_uniforms, values);
    print_orthogonal(37, 33, values, workspace);
    print_orthogonal(33, 37, values, workspace);
    print_orthogonal(100, 70, values, workspace);
  }
  const int code = values && workspace ? 0 : 1;
  free(values);
  free(workspace);
  return code;
}
