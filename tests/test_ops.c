/* The dense operations of the device against plain float64 loops: every
 * transposition and activation, odd sizes and sizes of several tiles, padded
 * rows, shared inputs, and exponents that scale.h decides about. */
#include <math.h>
#include <stdlib.h>

#include "device/device.h"
#include "device/scale.h"
#include "support_network.h"
#include "support_reference.h"
#include "support_tensor.h"

/* Does the device have the dtype? Asked once. */
static bool has(int dtype) {
  static uint32_t dtypes;
  if (!dtypes) {
    gs_device_info info;
    gs_device *device = gs_support_shared_device(1);
    device->ops->info(device, &info);
    dtypes = info.dtypes;
  }
  return dtypes >> dtype & 1u;
}

/* Compares a tensor's true values, replica by replica, with [R][rows][cols]. */
static void check_values(const gs_pool *pool, const gs_tensor *tensor, const double *want,
                         const char *what) {
  const int64_t size = tensor->rows * tensor->cols;
  double *got = gs_support_download(pool->device, tensor);
  for (int64_t r = 0; r < tensor->replicas; r++) {
    const double error = gs_reference_error(got + r * size, want + r * size, size);
    if (!(error <= gs_support_tolerance(tensor->dtype)))
      fail_msg("%s, %s, %d x %d, replica %d: off by %.3g", what,
               gs_name(&gs_dtype_names, tensor->dtype), (int)tensor->rows, (int)tensor->cols,
               (int)r, error);
  }
  free(got);
  gs_support_check_padding(pool->device, tensor);
}

static double *zeros(int64_t count) {
  double *values = calloc((size_t)count, sizeof *values);
  assert_non_null(values);
  return values;
}

/* ---- gemm ---- */

static void check_gemm(gs_dtype dtype, const int64_t *mnk, bool trans_a, bool trans_b,
                       bool scaled) {
  const int64_t m = mnk[0], n = mnk[1], k = mnk[2], R = 3;
  const int32_t up = gs_support_reach(dtype, 40), down = gs_support_reach(dtype, -30);
  gs_pool pool = gs_pool_open(dtype, 300, 300, R, 0, 2);
  const gs_tensor a = gs_pool_random(
      &pool, (gs_shape){dtype, R, trans_a ? k : m, trans_a ? m : k, 3, .slots = scaled ? 1 : 0},
      gs_support_reach(dtype, -20), &up);
  const gs_tensor b = gs_pool_random(
      &pool, (gs_shape){dtype, R, trans_b ? n : k, trans_b ? k : n, 1, true, scaled ? 1 : 0},
      gs_support_reach(dtype, 15), &down);
  double *of_a = gs_support_download(pool.device, &a);
  double *of_b = gs_support_download(pool.device, &b);
  double *want = zeros(R * m * n);
  for (int64_t r = 0; r < R; r++)
    gs_reference_gemm(trans_a, trans_b, m, n, k, of_a + r * m * k, of_b + r * k * n,
                      want + r * m * n);
  for (int tracked = 0; tracked <= 1; tracked++) {
    const gs_tensor c = gs_pool_tensor(&pool, (gs_shape){dtype, R, m, n, 5, .slots = tracked});
    gs_support_ok(pool.device->ops->gemm(pool.device, trans_a, &a, trans_b, &b, &c),
                  &pool.device->error);
    check_values(&pool, &c, want, "gemm");
    if (tracked)
      assert_int_equal(gs_support_slot(pool.device, &c, R - 1).exponent, scaled ? up + down : 0);
  }
  free(want);
  free(of_b);
  free(of_a);
  gs_pool_close(&pool);
}

static void test_gemm(void **state) {
  static const int64_t sizes[][3] = {{1, 1, 1},   {33, 37, 1},  {1, 33, 37},
                                     {37, 1, 33}, {33, 37, 35}, {130, 257, 70}};
  (void)state;
  for (int dtype = GS_F64; dtype < GS_DTYPE_COUNT; dtype++)
    for (size_t s = 0; has(dtype) && s < sizeof sizes / sizeof *sizes; s++)
      for (int form = 0; form < 8; form++)
        if (gs_support_takes(3))
          check_gemm((gs_dtype)dtype, sizes[s], form & 1, form & 2, form & 4);
}

/* ---- a dense layer, forward and backward ---- */

typedef struct layer_case {
  gs_dtype dtype;
  int64_t replicas, rows, in, out;
  gs_activation activation;
  bool bias, shared; /* x is one for all replicas */
  bool tracked;      /* h and delta have slots */
  bool scaled;       /* x and delta_next have slots: */
  int digit;         /* their digits are about 2^digit, */
  int32_t exponent;  /* their true values 2^exponent times that */
} layer_case;

typedef struct layer {
  gs_pool pool;
  gs_tensor x, w, b, saved, h;
  double *z; /* true pre-activations, [R][rows][out] */
} layer;

static double *pre_activations(const layer *l, const layer_case *c) {
  const int64_t size = c->rows * c->out;
  double *x = gs_support_download(l->pool.device, &l->x);
  double *w = gs_support_download(l->pool.device, &l->w);
  double *z = zeros(c->replicas * size);
  for (int64_t r = 0; r < c->replicas; r++)
    gs_reference_gemm(false, true, c->rows, c->out, c->in, x + r * c->rows * c->in,
                      w + r * c->out * c->in, z + r * size);
  if (c->bias) {
    double *b = gs_support_download(l->pool.device, &l->b);
    for (int64_t i = 0; i < c->replicas * size; i++) z[i] += b[i / size * c->out + i % c->out];
    free(b);
  }
  free(w);
  free(x);
  return z;
}

/* In 16 bits rounding may decide on which side of a kink a small z falls: the device's
 * choice is taken. */
static void settle_kinks(layer *l, const layer_case *c) {
  const gs_activation_kind kind = c->activation.kind;
  const bool kinked = kind == GS_RELU || kind == GS_LEAKY_RELU || kind == GS_SELU;
  const int64_t count = c->replicas * c->rows * c->out;
  if (!kinked || (c->dtype != GS_BF16 && c->dtype != GS_F16)) return;
  double *h = gs_support_download(l->pool.device, &l->h);
  double largest = 0;
  for (int64_t i = 0; i < count; i++) largest = fmax(largest, fabs(l->z[i]));
  for (int64_t i = 0; i < count; i++) {
    const bool small = fabs(l->z[i]) <= gs_support_tolerance(c->dtype) * largest;
    if (small && (h[i] > 0) != (l->z[i] > 0)) l->z[i] = h[i];
  }
  free(h);
}

/* Makes the tensors and runs layer_forward. */
static layer forward(const layer_case *c) {
  const int64_t max = c->in > c->out ? c->in : c->out, R = c->replicas;
  layer l = {.pool = gs_pool_open(c->dtype, c->rows, max, R, 0, 2)};
  l.x = gs_pool_random(&l.pool,
                       (gs_shape){c->dtype, R, c->rows, c->in, 3, c->shared, c->scaled ? 1 : 0},
                       c->digit, &c->exponent);
  l.w = gs_pool_random(&l.pool, (gs_shape){c->dtype, R, c->out, c->in, .pad = 2}, 0, NULL);
  l.b = gs_pool_random(&l.pool, (gs_shape){c->dtype, R, 1, c->out, .pad = 1}, 0, NULL);
  l.h = gs_pool_tensor(&l.pool, (gs_shape){c->dtype, R, c->rows, c->out, 4, .slots = c->tracked});
  l.saved = gs_pool_tensor(&l.pool, (gs_shape){c->dtype, R, c->rows, c->out, .pad = 4});
  gs_device *device = l.pool.device;
  const gs_layer_forward pass = {.x = &l.x,
                                 .w = &l.w,
                                 .b = c->bias ? &l.b : NULL,
                                 .activation = c->activation,
                                 .saved = gs_activation_needs_saved(c->activation.kind) ? &l.saved
                                                                                        : NULL,
                                 .h = &l.h};
  gs_support_ok(device->ops->layer_forward(device, &pass), &device->error);
  l.z = pre_activations(&l, c);
  settle_kinks(&l, c);
  return l;
}

static void close_layer(layer *l) {
  free(l->z);
  gs_pool_close(&l->pool);
}

/* h's exponent where z's is this: h of a bounded phi is never large, one that is not 0 at 0
 * never small. */
static int32_t exponent_of_h(gs_activation_kind kind, int32_t z) {
  const bool bounded = kind == GS_SIGMOID || kind == GS_TANH || kind == GS_SOFTSIGN;
  const bool lifted = kind == GS_SIGMOID || kind == GS_SOFTPLUS;
  return (bounded && z > 0) || (lifted && z < 0) ? 0 : z;
}

static void check_forward(const layer_case *c) {
  layer l = forward(c);
  const int64_t count = c->replicas * c->rows * c->out;
  double *want = zeros(count);
  for (int64_t i = 0; i < count; i++) want[i] = gs_reference_activation(c->activation, l.z[i]);
  check_values(&l.pool, &l.h, want, gs_name(&gs_activation_names, c->activation.kind));
  if (l.h.scale) {
    const gs_scale x =
        c->scaled ? gs_support_slot(l.pool.device, &l.x, 0) : (gs_scale){0, GS_PEAK_NONE};
    const int32_t shifted = x.exponent + gs_scale_shift(x.peak, c->dtype);
    const int32_t expected =
        exponent_of_h(c->activation.kind, c->bias ? gs_scale_join(shifted, 0) : shifted);
    assert_int_equal(gs_support_slot(l.pool.device, &l.h, 0).exponent, expected);
    gs_support_check_peaks(l.pool.device, &l.h, 1);
  }
  free(want);
  close_layer(&l);
}

/* want = phi'(z) eps, and its sums over rows. */
static void check_delta(const layer *l, const layer_case *c, const double *eps,
                        const gs_tensor *delta, const gs_tensor *db, int32_t expected,
                        const char *what) {
  const int64_t size = c->rows * c->out;
  double *want = zeros(c->replicas * size), *sums = zeros(c->replicas * c->out);
  for (int64_t i = 0; i < c->replicas * size; i++) {
    want[i] = gs_reference_slope(c->activation, l->z[i]) * eps[i];
    sums[i / size * c->out + i % c->out] += want[i];
  }
  check_values(&l->pool, delta, want, what);
  if (db) check_values(&l->pool, db, sums, "db");
  if (delta->scale) {
    assert_int_equal(gs_support_slot(l->pool.device, delta, 0).exponent, expected);
    if (db) assert_int_equal(gs_support_slot(l->pool.device, db, 0).exponent, expected);
    gs_support_check_peaks(l->pool.device, delta, 1);
  }
  free(sums);
  free(want);
}

/* The exponent that delta has when it comes from this tensor alone. */
static int32_t exponent_from(const layer *l, const layer_case *c, const gs_tensor *tensor) {
  if (!tensor->scale) return 0;
  const gs_scale slot = gs_support_slot(l->pool.device, tensor, 0);
  return slot.exponent + gs_scale_shift(slot.peak, c->dtype);
}

/* Of which addends dLoss/dh consists, and whether delta is dh's memory. */
typedef enum addends { PRODUCT = 1, GIVEN = 2, BOTH = 3, IN_PLACE = 6 } addends;

/* eps = dLoss/dh. The product's from a next layer of 35 units; without db when there is no
 * bias. */
static void check_backward(const layer_case *c, addends which, const char *what) {
  const int64_t next = c->out > 100 ? 140 : c->in == 1 ? 1 : 35, R = c->replicas;
  layer l = forward(c);
  gs_device *device = l.pool.device;
  const bool in_place = which == IN_PLACE;
  const int slots = c->scaled ? 1 : 0;
  const gs_tensor delta_next = gs_pool_random(
      &l.pool, (gs_shape){c->dtype, R, c->rows, next, 2, .slots = slots}, c->digit, &c->exponent);
  const gs_tensor w =
      gs_pool_random(&l.pool, (gs_shape){c->dtype, R, next, c->out, .pad = 3}, 0, NULL);
  const gs_tensor dh = gs_pool_random(
      &l.pool, (gs_shape){c->dtype, R, c->rows, c->out, 2, .slots = in_place ? 1 : slots}, c->digit,
      c->scaled ? &c->exponent : NULL);
  gs_tensor delta =
      gs_pool_tensor(&l.pool, (gs_shape){c->dtype, R, c->rows, c->out, 6, .slots = c->tracked});
  const gs_tensor db =
      gs_pool_tensor(&l.pool, (gs_shape){c->dtype, R, 1, c->out, 2, .slots = c->tracked});
  const int32_t of_next = exponent_from(&l, c, &delta_next), of_dh = exponent_from(&l, c, &dh);
  double *eps = zeros(R * c->rows * c->out);
  if (which & PRODUCT) {
    double *digits = gs_support_download(device, &delta_next);
    double *of_w = gs_support_download(device, &w);
    for (int64_t r = 0; r < R; r++)
      gs_reference_gemm(false, false, c->rows, c->out, next, digits + r * c->rows * next,
                        of_w + r * next * c->out, eps + r * c->rows * c->out);
    free(of_w);
    free(digits);
  }
  if (which & GIVEN) {
    double *given = gs_support_download(device, &dh);
    for (int64_t i = 0; i < R * c->rows * c->out; i++) eps[i] += given[i];
    free(given);
  }
  if (in_place) { /* the same memory, with slots of delta's own or none */
    gs_scale *own = delta.scale;
    delta = dh;
    delta.scale = own;
  }
  const gs_layer_backward pass = {.delta_next = which & PRODUCT ? &delta_next : NULL,
                                  .w_next = which & PRODUCT ? &w : NULL,
                                  .dh = which & GIVEN ? &dh : NULL,
                                  .activation = c->activation,
                                  .saved = &l.saved,
                                  .h = &l.h,
                                  .delta = &delta,
                                  .db = c->bias ? &db : NULL};
  gs_support_ok(device->ops->layer_backward(device, &pass), &device->error);
  const int32_t expected = which == PRODUCT ? of_next
                           : which == BOTH  ? gs_scale_join(of_next, of_dh)
                                            : of_dh;
  check_delta(&l, c, eps, &delta, c->bias ? &db : NULL, expected, what);
  free(eps);
  close_layer(&l);
}

static void check_product(const layer_case *c) { check_backward(c, PRODUCT, "a product"); }
static void check_in_place(const layer_case *c) { check_backward(c, IN_PLACE, "dh, in place"); }
static void check_given(const layer_case *c) { check_backward(c, GIVEN, "dh"); }
static void check_sum(const layer_case *c) { check_backward(c, BOTH, "a product and dh"); }

typedef void (*layer_check)(const layer_case *);

/* Every activation at odd sizes, and sizes of several tiles. */
static void for_all_layers(layer_check check) {
  static const int64_t sizes[][3] = {{1, 1, 1}, {33, 37, 35}, {37, 1, 33}, {1, 33, 37}};
  static const int64_t large[][3] = {{130, 300, 257}, {257, 33, 130}, {70, 37, 1030}};
  for (int dtype = GS_F64; dtype < GS_DTYPE_COUNT; dtype++) {
    if (!has(dtype)) continue;
    for (int kind = 0; kind < GS_ACTIVATION_COUNT; kind++)
      for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (int variant = 0; variant < 4; variant++) {
          if (!gs_support_takes(7)) continue;
          const layer_case c = {.dtype = (gs_dtype)dtype,
                                .replicas = 2,
                                .rows = sizes[s][0],
                                .in = sizes[s][1],
                                .out = sizes[s][2],
                                .activation = {(gs_activation_kind)kind, 0.2},
                                .bias = variant & 1,
                                .shared = variant & 2,
                                .tracked = variant & 1};
          check(&c);
        }
    for (size_t s = 0; s < sizeof large / sizeof *large; s++)
      for (int kind = GS_TANH; kind <= GS_RELU; kind++) {
        if (!gs_support_takes(5)) continue;
        const layer_case c = {.dtype = (gs_dtype)dtype,
                              .replicas = 2,
                              .rows = large[s][0],
                              .in = large[s][1],
                              .out = large[s][2],
                              .activation = {(gs_activation_kind)kind, 0},
                              .bias = true};
        check(&c);
      }
  }
}

/* Exponents: true values within the formats' reach, digits and exponents in
 * every combination of inside and outside the window, with and without a slot
 * for the result. */
static void for_all_exponents(layer_check check) {
  static const struct {
    int digit;
    int32_t exponent;
  } scales[] = {{-40, 40}, {-20, 20}, {10, -10}, {45, -45}, {-60, 0}, {60, 0}, {0, -50}, {0, 50}};
  for (int dtype = GS_F64; dtype < GS_DTYPE_COUNT; dtype++)
    for (size_t s = 0; has(dtype) && s < sizeof scales / sizeof *scales; s++)
      for (int kind = 0; kind < GS_ACTIVATION_COUNT; kind++)
        for (int variant = 0; variant < 4; variant++) {
          if (!gs_support_takes(17)) continue;
          const int far = dtype == GS_F64 ? 7 : 1; /* f64's window is wider */
          const gs_dtype c_dtype = (gs_dtype)dtype;
          const layer_case c = {.dtype = c_dtype,
                                .replicas = 2,
                                .rows = 33,
                                .in = 37,
                                .out = 35,
                                .activation = {(gs_activation_kind)kind, 0.2},
                                .bias = variant & 1,
                                .tracked = variant & 2,
                                .scaled = true,
                                .digit = gs_support_reach(c_dtype, scales[s].digit * far),
                                .exponent = gs_support_reach(c_dtype, scales[s].exponent * far)};
          /* a product of 2^10 in 16 bits says little about a phi' that changes where a bias
           * takes it back to 1 */
          const bool coarse = c_dtype == GS_BF16 || c_dtype == GS_F16;
          const bool curved = gs_activation_needs_saved(c.activation.kind);
          if (coarse && curved && c.digit + c.exponent > 0) continue;
          /* and softsign' is made by the one z nearest to 0, which is what rounding left */
          if (kind == GS_SOFTSIGN && c.digit + c.exponent > 0) continue;
          if (curved && (kind + (int)s) % 4 != variant) continue; /* a quarter will do */
          check(&c);
        }
}

static void test_forward(void **state) {
  (void)state;
  for_all_layers(check_forward);
  for_all_exponents(check_forward);
}

static void test_backward_of_a_product(void **state) {
  (void)state;
  for_all_layers(check_product);
  for_all_exponents(check_product);
}

static void test_backward_of_dh(void **state) {
  (void)state;
  for_all_layers(check_given);
  for_all_exponents(check_given);
  for_all_layers(check_in_place);
  for_all_exponents(check_in_place);
}

static void test_backward_of_a_sum(void **state) {
  (void)state;
  for_all_layers(check_sum);
  for_all_exponents(check_sum);
}

/* ---- begin_step ---- */

static void test_begin_step(void **state) {
  (void)state;
  gs_pool pool = gs_pool_open(GS_F32, 1, 1, 1, 0, 1);
  gs_scale slots[5], *on_device = gs_pool_take(&pool, sizeof slots);
  for (int i = 0; i < 5; i++) slots[i] = (gs_scale){i + 1, -i};
  gs_device *device = pool.device;
  gs_support_ok(device->ops->upload(device, on_device, slots, sizeof slots), &device->error);
  gs_support_ok(device->ops->begin_step(device, on_device, 4), &device->error);
  gs_support_ok(device->ops->download(device, slots, on_device, sizeof slots), &device->error);
  for (int i = 0; i < 4; i++) {
    assert_int_equal(slots[i].exponent, 0);
    assert_int_equal(slots[i].peak, GS_PEAK_NONE);
  }
  assert_int_equal(slots[4].exponent, 5);
  assert_int_equal(slots[4].peak, -4);
  gs_pool_close(&pool);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_gemm),
      cmocka_unit_test(test_forward),
      cmocka_unit_test(test_backward_of_a_product),
      cmocka_unit_test(test_backward_of_dh),
      cmocka_unit_test(test_backward_of_a_sum),
      cmocka_unit_test(test_begin_step),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
