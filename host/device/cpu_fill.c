/* Initialisation and the weights' hash on the CPU: the numbers of base/random.h
 * in chunks, so that a large tensor keeps all threads busy. f64 tensors hold
 * the same float32 values: every dtype starts from the same network. */
#include <omp.h>
#include <string.h>

#include "base/orthogonal.h"
#include "base/random.h"
#include "device/cpu_internal.h"

enum { CHUNK = 8192 }; /* elements */

typedef void (*draw_fn)(float *out, uint64_t first, size_t count, uint64_t seed, uint32_t tensor_id,
                        uint32_t replica);

static draw_fn draw_of(gs_fill_kind kind) {
  switch (kind) {
  case GS_FILL_UNIFORM: return gs_random_uniform;
  case GS_FILL_TWO_UNIFORMS: return gs_random_two_uniforms;
  case GS_FILL_TRUNCATED_NORMAL: return gs_random_truncated;
  default: return gs_random_normal;
  }
}

/* Stores count values as elements first.. (row-major, without padding). */
static void store(const gs_tensor *tensor, int64_t replica, int64_t first, const float *values,
                  int64_t count) {
  int64_t done = 0;
  while (done < count) {
    const int64_t row = (first + done) / tensor->cols;
    const int64_t col = (first + done) % tensor->cols;
    const int64_t left = count - done;
    const int64_t run = tensor->cols - col < left ? tensor->cols - col : left;
    void *out = gs_cpu_at(tensor, replica, row, col);
    if (tensor->dtype == GS_F64) {
      for (int64_t i = 0; i < run; i++) ((double *)out)[i] = (double)values[done + i];
    } else {
      memcpy(out, values + done, (size_t)run * sizeof *values);
    }
    done += run;
  }
}

static void load(const gs_tensor *tensor, int64_t replica, int64_t first, float *values,
                 int64_t count) {
  for (int64_t i = 0; i < count; i++) {
    const void *at =
        gs_cpu_at(tensor, replica, (first + i) / tensor->cols, (first + i) % tensor->cols);
    values[i] = tensor->dtype == GS_F64 ? (float)*(const double *)at : *(const float *)at;
  }
}

static void fill_chunk(const gs_tensor *tensor, const gs_fill *fill, int64_t replica,
                       int64_t first) {
  float values[CHUNK];
  const int64_t total = tensor->rows * tensor->cols;
  const int64_t count = total - first < CHUNK ? total - first : CHUNK;
  const float scale = (float)fill->value;
  if (fill->kind == GS_FILL_CONSTANT) {
    for (int64_t i = 0; i < count; i++) values[i] = scale;
  } else if (fill->kind == GS_FILL_IDENTITY) {
    for (int64_t i = 0; i < count; i++) {
      const int64_t element = first + i;
      values[i] = element / tensor->cols == element % tensor->cols ? scale : 0.0f;
    }
  } else {
    draw_of(fill->kind)(values, (uint64_t)first, (size_t)count, fill->seed, fill->tensor_id,
                        (uint32_t)replica);
    for (int64_t i = 0; i < count; i++) values[i] *= scale;
  }
  store(tensor, replica, first, values, count);
}

/* ---- orthogonal matrices: a replica is a task, with scratch of its thread ---- */

/* Doubles for factorising any matrix of at most so many elements and columns or
 * rows, and room for its float32 result. */
static size_t orthogonal_bytes(int64_t elements, int64_t longest) {
  gs_arena arena = gs_arena_counting();
  const size_t doubles =
      (size_t)elements + 2 * (size_t)longest + gs_random_orthogonal_workspace(1, longest);
  gs_arena_take(&arena, doubles, sizeof(double));
  gs_arena_take(&arena, (size_t)elements, sizeof(float));
  return arena.used;
}

static int orthogonal_threads(int threads, int64_t replicas) {
  return replicas < threads ? (int)replicas : threads;
}

size_t gs_cpu_fill_workspace(const gs_workspace_need *need, int threads) {
  if (!need->orthogonal) return 0;
  const size_t team = (size_t)orthogonal_threads(threads, need->replicas);
  return team * orthogonal_bytes(need->weights, need->columns);
}

static void fill_orthogonal(const gs_tensor *tensor, const gs_fill *fill, int64_t replica,
                            void *scratch, size_t bytes) {
  const int64_t total = tensor->rows * tensor->cols;
  gs_arena arena = gs_arena_over(scratch, bytes);
  float *values = gs_arena_take(&arena, (size_t)total, sizeof *values);
  double *workspace = gs_arena_take(
      &arena, gs_random_orthogonal_workspace(tensor->rows, tensor->cols), sizeof *workspace);
  gs_random_orthogonal(values, tensor->rows, tensor->cols, fill->value, fill->seed, fill->tensor_id,
                       (uint32_t)replica, workspace);
  store(tensor, replica, 0, values, total);
}

static gs_status fill_orthogonals(gs_device *device, const gs_tensor *tensor, const gs_fill *fill,
                                  int64_t replicas) {
  const int64_t longest = tensor->rows > tensor->cols ? tensor->rows : tensor->cols;
  const size_t bytes = orthogonal_bytes(tensor->rows * tensor->cols, longest);
  /* Householder's QR and Q, on one thread for each matrix */
  const double flops =
      4.0 * (double)replicas * (double)(tensor->rows * tensor->cols) * (double)longest;
  const int team = orthogonal_threads(gs_cpu_team(device, GS_F64, flops, 0), replicas);
  gs_arena arena = gs_cpu_workspace(device);
  unsigned char *scratch = gs_arena_take(&arena, (size_t)team, bytes);
  if (!scratch) return GS_FAIL(&device->error, GS_ERR_INTERNAL, "workspace too small");
#pragma omp parallel for num_threads(team) schedule(dynamic)
  for (int64_t r = 0; r < replicas; r++) {
    fill_orthogonal(tensor, fill, r, scratch + (size_t)omp_get_thread_num() * bytes, bytes);
  }
  return GS_OK;
}

/* ---- the operations ---- */

gs_status gs_cpu_fill(gs_device *device, const gs_tensor *tensor, const gs_fill *fill) {
  const int64_t replicas = tensor->stride ? tensor->replicas : 1;
  if (fill->kind == GS_FILL_ORTHOGONAL) return fill_orthogonals(device, tensor, fill, replicas);
  const int64_t chunks = (tensor->rows * tensor->cols + CHUNK - 1) / CHUNK;
  const int team = gs_cpu_team(device, tensor->dtype, 0,
                               (double)replicas * (double)tensor->rows * (double)tensor->cols);
#pragma omp parallel for num_threads(team) schedule(dynamic)
  for (int64_t task = 0; task < chunks * replicas; task++) {
    fill_chunk(tensor, fill, task / chunks, task % chunks * CHUNK);
  }
  return GS_OK;
}

gs_status gs_cpu_hash(gs_device *device, const gs_tensor *tensor, uint32_t tensor_id,
                      uint64_t *hash) {
  const int64_t total = tensor->rows * tensor->cols;
  const int64_t chunks = (total + CHUNK - 1) / CHUNK;
  const int team = gs_cpu_elements_team(device, tensor);
#pragma omp parallel for num_threads(team) schedule(static)
  for (int64_t task = 0; task < chunks * tensor->replicas; task++) {
    float values[CHUNK];
    const int64_t replica = task / chunks;
    const int64_t first = task % chunks * CHUNK;
    const int64_t count = total - first < CHUNK ? total - first : CHUNK;
    load(tensor, replica, first, values, count);
    const uint64_t part = gs_hash_floats(values, (uint64_t)first, (size_t)count, tensor_id);
    __atomic_fetch_add(&hash[replica], part, __ATOMIC_RELAXED);
  }
  return GS_OK;
}
