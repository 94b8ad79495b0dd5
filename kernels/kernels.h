/* The launchers of all kernels: plain C, the only door between host code and
 * kernels/. Each enqueues on a stream and returns the launch's status; none
 * allocates or waits. Tensors, jobs and structures are host structures that point
 * to device memory; they are copied before the call returns.
 *
 * Kernels follow scale.h for exponent slots: blocks raise a slot's peak by an
 * integer maximum, which does not depend on their order, and one thread writes its
 * exponent. A slot must be empty (begin_step) before the operation that writes it.
 * Results never depend on the number of multiprocessors: reductions are cut by
 * shapes alone. */
#ifndef GS_KERNELS_KERNELS_H
#define GS_KERNELS_KERNELS_H

#include <cuda_runtime_api.h>

#include "device/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Where to enqueue. */
typedef struct gs_queue {
  cudaStream_t stream;
  int multiprocessors; /* of the device: how many blocks are worth their launch */
} gs_queue;

/* Device memory that operations on one stream use in turn. A kernel whose blocks
 * hand results to the last of them counts them in `counters`, all zero before and
 * after. */
typedef struct gs_scratch {
  void *data; /* aligned to GS_ARENA_ALIGNMENT */
  size_t bytes;
  uint32_t *counters;
  size_t counter_count;
} gs_scratch;

/* ---- slots.cu ---- */

/* Empties slots[0 .. count). */
cudaError_t gs_launch_begin_step(gs_queue queue, gs_scale *slots, int64_t count);
/* c.scale[r] = the sum of a's and b's exponents (0 for a tensor without slots), no
 * peak. Nothing to do without c.scale. */
cudaError_t gs_launch_product_slots(gs_queue queue, const gs_tensor *a, const gs_tensor *b,
                                    const gs_tensor *c);
/* c *= 2^(sum of a's and b's exponents): a product whose result has no slot. */
cudaError_t gs_launch_product_shift(gs_queue queue, const gs_tensor *a, const gs_tensor *b,
                                    const gs_tensor *c);

/* ---- pointwise.cu ---- */

/* h = phi(product 2^. + addend 2^.), after a matrix product. product: the shape of
 * h, its dtype or f32; h's own memory or another's. source: the slots of the tensor
 * that went into the product, or NULL. phi sees true values: digits of z and h have the
 * exponents of gs_activate_scale_of (device/activation_scale.h). addend: NULL, one row for all (a
 * bias), or a matrix of h's shape without slots (an rnn's input part). saved: phi'(z), or NULL
 * where none is needed. Writes h's slots: exponent and peak. */
cudaError_t gs_launch_activate(gs_queue queue, const gs_tensor *product, const gs_scale *source,
                               const gs_tensor *addend, gs_activation activation,
                               const gs_tensor *saved, const gs_tensor *h);

/* delta = phi'(z) (product 2^. + dh 2^.). product (with source, as above) or dh (with
 * its own slots) may be NULL, not both; either may be delta's own memory. db: sums of
 * delta over its rows, 1 x n, or NULL; its slots get delta's exponents. */
cudaError_t gs_launch_activate_backward(gs_queue queue, const gs_tensor *product,
                                        const gs_scale *source, const gs_tensor *dh,
                                        gs_activation activation, const gs_tensor *saved,
                                        const gs_tensor *h, const gs_tensor *delta,
                                        const gs_tensor *db, gs_scratch scratch);
/* Bytes and counters of scratch that column sums of such tensors want. */
size_t gs_column_sums_bytes(int64_t rows, int64_t cols, int64_t replicas, gs_dtype dtype);
size_t gs_column_sums_counters(int64_t cols, int64_t replicas);

/* ---- combine.cu ---- */

/* gs_device_ops.combine. */
cudaError_t gs_launch_combine(gs_queue queue, const gs_combination *of);

/* ---- normalize.cu ---- */

/* gs_device_ops.normalize_forward (dy NULL: out is y) and _backward (out is dx). */
cudaError_t gs_launch_normalize(gs_queue queue, gs_norm norm, const gs_tensor *x,
                                const gs_tensor *dy, const gs_tensor *out);

/* ---- gradient.cu ---- */

/* For each job without sequences: dW.scale[r] = sum of delta's and x's exponents, 0 if
 * either is empty. */
cudaError_t gs_launch_gradient_slots(gs_queue queue, const gs_gradient_job *jobs, int64_t count);
/* For a job on sequences: sums.scale[r] (sums: dW, or db with x NULL) and, in
 * exponents[r] of device memory, the sum's exponent. */
cudaError_t gs_launch_sum_scale(gs_queue queue, const gs_tensor *delta, const gs_tensor *x,
                                int64_t steps, const gs_tensor *sums, int32_t *exponents);
/* shifted = delta, every step's digits brought to its sum's exponent. shifted: the shape
 * of delta, without slots. */
cudaError_t gs_launch_shift_steps(gs_queue queue, const gs_tensor *delta, const gs_tensor *x,
                                  int64_t steps, const int32_t *exponents,
                                  const gs_tensor *shifted);
/* db = sums over all rows of delta, steps brought to the sum's exponent (exponents NULL:
 * as they are). */
cudaError_t gs_launch_column_sums(gs_queue queue, const gs_tensor *delta, int64_t steps,
                                  const int32_t *exponents, const gs_tensor *db,
                                  gs_scratch scratch);
/* to = from (f32) in to's dtype (f16), for a product whose digits may leave f16's range:
 * each replica is brought to the window by its peak and the exponent in to.scale raised
 * by as much. peaks: R numbers of device memory to work with. */
cudaError_t gs_launch_narrow(gs_queue queue, const gs_tensor *from, const gs_tensor *to,
                             int32_t *peaks);

/* ---- fill.cu, orthogonal.cu, hash.cu ---- */

/* Every kind but GS_FILL_ORTHOGONAL: the numbers of base/random.h, bit for bit, rounded
 * once to the tensor's dtype. A tensor with stride 0 is filled once, as replica 0. */
cudaError_t gs_launch_fill(gs_queue queue, const gs_tensor *tensor, const gs_fill *fill);
/* The matrices of base/orthogonal.h, bit for bit: the same operations on every element in
 * the same order. Replicas are taken as many at a time as scratch holds. */
cudaError_t gs_launch_orthogonal(gs_queue queue, const gs_tensor *tensor, const gs_fill *fill,
                                 gs_scratch scratch);
/* Least scratch (one replica), and what all replicas together, cut at a bound, like. */
size_t gs_orthogonal_bytes(int64_t elements, int64_t longest, int64_t replicas);
/* hash[r] += the hash of replica r (base/random.h). */
cudaError_t gs_launch_hash(gs_queue queue, const gs_tensor *tensor, uint32_t tensor_id,
                           uint64_t *hash);
/* digest[0] += a hash of all bits of all replicas (f64's too, of which the hash above sees
 * half), digest[1] += number of finite non-zero elements: to compare products of different
 * algorithms. */
cudaError_t gs_launch_digest(gs_queue queue, const gs_tensor *tensor, uint64_t digest[2]);

/* ---- loss.cu ---- */

/* gs_device_ops.loss. Partial sums of fixed parts, added in their order. */
cudaError_t gs_launch_loss(gs_queue queue, gs_device_loss kind, const gs_tensor *h,
                           const gs_tensor *target, int64_t steps, const gs_tensor *dh,
                           gs_scaled *value, gs_scratch scratch);
size_t gs_loss_bytes(int64_t rows, int64_t cols, int64_t replicas, int64_t steps);
size_t gs_loss_counters(int64_t replicas);

/* ---- stats.cu ---- */

/* gs_device_ops.stats: as few launches as jobs and scratch allow, a table of jobs going
 * with each; a second one after each whose tensors have both saturation bounds and slots.
 * scratch.data is zero before the first call and after every one. */
cudaError_t gs_launch_stats(gs_queue queue, const gs_stats_job *jobs, int64_t count,
                            gs_scratch scratch);
/* Scratch for `units` tensors (of one step and replica each) of at most so many elements
 * and columns at once. */
size_t gs_stats_bytes(gs_dtype dtype, int64_t elements, int64_t columns, int64_t units);

/* ---- persistent.cu: the whole recurrent loop in one launch ---- */

/* Blocks that share W among them, each with its rows or columns in registers; 0 where the
 * kernels cannot run: untied weights, dtypes other than f32, bf16 and f16, more than 2048
 * units, or a device that does not hold that many blocks at once (n / 16, each on a
 * multiprocessor of its own, from n = 1025 on). More replicas than fit are taken in turn. */
int gs_persistent_blocks(gs_queue queue, const gs_recurrence *recurrence, int64_t batch,
                         int64_t replicas);
/* gs_device_ops.recurrent_forward and _backward, for tied weights. The order of additions
 * depends on n alone. h's slots 1 .. T, and delta's, must be empty. scratch: counters only.
 * cudaErrorCooperativeLaunchTooLarge where W does not fit. */
cudaError_t gs_launch_persistent_forward(gs_queue queue, const gs_recurrence *recurrence,
                                         const gs_tensor *projection, const gs_tensor *saved,
                                         const gs_tensor *h, gs_scratch scratch);
cudaError_t gs_launch_persistent_backward(gs_queue queue, const gs_recurrence *recurrence,
                                          const gs_tensor *dh, int64_t dh_steps,
                                          const gs_tensor *saved, const gs_tensor *h,
                                          const gs_tensor *delta, gs_scratch scratch);
/* The same for any number of replicas: barrier groups are bounded. */
size_t gs_persistent_counters(int64_t replicas);
/* Whether GS_LOOP_AUTO should take it, from shapes and dtype alone (persistent_choice.cu).
 * An estimate until measured, of microseconds a step on an H100 with one replica:
 *
 *               persistent       step by step, f32     half
 *   B =         16   32   64       16    32    64       16   32   64
 *   n =  256   1.7  1.7  1.7      3.8   3.9   4.0      3.6  3.6  3.6
 *   n = 1024   2.4  3.4  5.3      6.1   6.2   7.7      4.4  4.5  4.5
 *   n = 2048   5.3  9.1 16.8     11.7  11.7  17.7      6.2  6.2  6.3
 *
 * Step by step, two dependent nodes of a graph cost 2.6 us before they do anything, and W
 * is read anew at every step; persistent, blocks wait 1.1 us for each other, every 16 units
 * read all of h again, and half precision is multiplied at float32's rate. So it pays for
 * small steps: until products are wide enough for tensor cores, or for the whole chip. Few
 * steps do not pay for the launch. */
bool gs_persistent_preferred(const gs_recurrence *recurrence, int64_t batch, int64_t replicas,
                             gs_dtype dtype);

/* ---- latency.cu: how long parts of the device wait for each other in a kernel ---- */

typedef enum gs_latency {
  GS_LATENCY_BLOCK_BARRIER,   /* two warps of a block meet */
  GS_LATENCY_CLUSTER_HOP,     /* a load from the other block's shared memory */
  GS_LATENCY_CLUSTER_BARRIER, /* eight blocks of a cluster meet */
  GS_LATENCY_GRID_BARRIER,    /* blocks on every multiprocessor meet, as persistent.cu's do */
  GS_LATENCY_COUNT
} gs_latency;

enum { GS_LATENCY_UNROLL = 16 };

/* One launch of `turns` waits of this kind, each after the one before, and little else.
 * turns: a multiple of GS_LATENCY_UNROLL. Device memory: *counter, 0 before and after;
 * *done, set to the number of turns (of hops: to (5 turns) modulo 16, where they end).
 * An error where the device has no such thing. */
cudaError_t gs_launch_latency(gs_queue queue, gs_latency which, int turns, uint32_t *counter,
                              uint32_t *done);
/* Has the device in use, and this program for it, clusters or cooperative launches, as this
 * one needs? Never waits. */
cudaError_t gs_latency_exists(gs_latency which, bool *exists);

#ifdef __cplusplus
}
#endif

#endif
