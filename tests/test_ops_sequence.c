/* The device's operations on sequences against plain float64 loops: weight
 * gradients over steps whose exponents differ, losses, and both recurrent
 * loops, at odd sizes and with padded rows. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/device.h"
#include "device/scale.h"
#include "support_network.h"
#include "support_reference.h"
#include "support_tensor.h"

enum { T = 5, R = 2 };

/* The device's facts, asked once. */
static const gs_device_info *facts(void) {
  static gs_device_info info;
  if (!info.dtypes) {
    gs_device *device = gs_support_shared_device(1);
    device->ops->info(device, &info);
  }
  return &info;
}

static bool has(int dtype) { return facts()->dtypes >> dtype & 1u; }

static double *zeros(int64_t count) {
  double *values = calloc((size_t)count, sizeof *values);
  assert_non_null(values);
  return values;
}

/* Every step rounds once more; where tf32 cuts off, always towards zero. */
static double tolerance_of(gs_dtype dtype) {
  const bool coarse = dtype == GS_BF16 || dtype == GS_F16;
  return (dtype == GS_TF32 ? T : coarse ? 2 : 1) * gs_support_tolerance(dtype);
}

/* Compares a sequence's true values, for every step and replica, with
 * [steps][R][rows][cols]. */
static void check_sequence(const gs_pool *pool, const gs_tensor *sequence, int64_t steps,
                           const double *want, const char *what) {
  const int64_t size = sequence->rows / steps * sequence->cols;
  double *got = gs_support_values(pool->device, sequence, steps);
  for (int64_t i = 0; i < steps * sequence->replicas; i++) {
    const double error = gs_reference_error(got + i * size, want + i * size, size);
    if (!(error <= tolerance_of(sequence->dtype)))
      fail_msg("%s, %s, step %d, replica %d: off by %.3g", what,
               gs_name(&gs_dtype_names, sequence->dtype), (int)(i / sequence->replicas),
               (int)(i % sequence->replicas), error);
  }
  free(got);
  gs_support_check_padding(pool->device, sequence);
}

/* ---- weight gradient ---- */

typedef struct gradient_case {
  const char *name;
  int64_t steps;
  bool delta_slots, x_slots;
  int digit; /* of delta; x's are -digit */
  int32_t delta[T], x[T];
  bool far;  /* true values that only a slot can hold */
  bool dead; /* the second step of delta is all zero, whatever its exponent */
} gradient_case;

static const gradient_case gradients[] = {
    {"plain", 1, false, false, 0, {0}, {0}, false, false},
    {"plain steps", T, false, false, 3, {0}, {0}, false, false},
    {"one exponent", T, true, true, -20, {20, 20, 20, 20, 20}, {-9, -9, -9, -9, -9}, false, false},
    {"one large exponent", T, true, false, 2, {900, 900, 900, 900, 900}, {0}, true, false},
    {"near exponents", T, true, true, -7, {0, 33, -40, 7, 21}, {5, -30, 40, 0, -20}, false, false},
    {"delta alone", T, true, false, 0, {-3, 3, 0, 5, 1}, {0}, false, false},
    {"x alone", T, false, true, 0, {0}, {-3, 3, 0, 5, 1}, false, false},
    {"far up", T, true, true, 4, {800, 750, 700, 650, 600}, {0, 45, 90, 140, 185}, true, false},
    {"far down", T, true, true, 4, {-600, -650, -700, -750, -800}, {0, 40, 85, 140}, true, false},
    {"dead step", T, true, true, 0, {3, 900, 0, -2, 1}, {0, 1, 2, 3, 4}, false, true},
    {"dead step alone", T, true, false, 0, {0, 900}, {0}, false, true},
};

static void check_weight_gradient(const gradient_case *c, gs_dtype dtype, int64_t B, int64_t n,
                                  int64_t n_in, bool tracked) {
  const int64_t rows = c->steps * B;
  gs_pool pool = gs_pool_open(dtype, rows, n > n_in ? n : n_in, R, c->steps, 2);
  gs_device *device = pool.device;
  const int digit = gs_support_reach(dtype, c->digit);
  int32_t of_delta_steps[T], of_x_steps[T];
  for (int t = 0; t < T; t++) {
    of_delta_steps[t] = gs_support_reach(dtype, c->delta[t]);
    of_x_steps[t] = gs_support_reach(dtype, c->x[t]);
  }
  const gs_tensor delta = gs_pool_random(
      &pool, (gs_shape){dtype, R, rows, n, 2, .slots = c->delta_slots ? c->steps : 0}, digit,
      of_delta_steps);
  if (c->dead) gs_pool_zero_step(&pool, &delta, c->steps, 1);
  const gs_tensor x =
      gs_pool_random(&pool, (gs_shape){dtype, R, rows, n_in, 1, .slots = c->x_slots ? c->steps : 0},
                     -digit, of_x_steps);
  const gs_tensor dW = gs_pool_tensor(&pool, (gs_shape){dtype, R, n, n_in, 3, .slots = tracked});
  const gs_tensor db = gs_pool_tensor(&pool, (gs_shape){dtype, R, 1, n, 3, .slots = tracked});
  const gs_gradient_job job = {delta, x, c->steps, dW, db, true};
  gs_support_ok(device->ops->weight_gradients(device, &job, 1), &device->error);
  double *of_delta = gs_support_values(device, &delta, c->steps);
  double *of_x = gs_support_values(device, &x, c->steps);
  double *want = zeros(R * n * n_in), *sums = zeros(R * n), *step = zeros(n * n_in);
  for (int64_t i = 0; i < c->steps * R; i++) {
    gs_reference_gemm(true, false, n, n_in, B, of_delta + i * B * n, of_x + i * B * n_in, step);
    for (int64_t k = 0; k < n * n_in; k++) want[i % R * n * n_in + k] += step[k];
    for (int64_t k = 0; k < B * n; k++) sums[i % R * n + k % n] += of_delta[i * B * n + k];
  }
  check_sequence(&pool, &dW, 1, want, c->name);
  check_sequence(&pool, &db, 1, sums, c->name);
  free(step);
  free(sums);
  free(want);
  free(of_x);
  free(of_delta);
  gs_pool_close(&pool);
}

static void test_weight_gradient(void **state) {
  static const int64_t sizes[][3] = {{1, 1, 1},  {33, 37, 35},  {37, 1, 33},
                                     {3, 33, 1}, {130, 65, 70}, {7, 530, 33}};
  (void)state;
  for (int dtype = GS_F64; dtype < GS_DTYPE_COUNT; dtype++)
    for (size_t i = 0; has(dtype) && i < sizeof gradients / sizeof *gradients; i++)
      for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (int tracked = gradients[i].far; tracked <= 1; tracked++)
          if (gs_support_takes(5))
            check_weight_gradient(&gradients[i], (gs_dtype)dtype, sizes[s][0], sizes[s][1],
                                  sizes[s][2], tracked);
}

/* ---- loss ---- */

typedef struct loss_case {
  gs_device_loss kind;
  int64_t steps;
  bool slots, tracked, own_dh;
  int32_t exponents[T];
  bool dead; /* the second step of h is all zero, whatever its exponent */
} loss_case;

static const loss_case losses[] = {
    {GS_DEVICE_LOSS_LINEAR, 1, false, false, true, {0}, false},
    {GS_DEVICE_LOSS_LINEAR, T, false, false, false, {0}, false},
    {GS_DEVICE_LOSS_LINEAR, T, true, true, true, {3, -4, 60, 40, -300}, false},
    {GS_DEVICE_LOSS_LINEAR, T, true, false, false, {300, 310, 305, -300, 320}, false},
    {GS_DEVICE_LOSS_MSE, 1, false, false, true, {0}, false},
    {GS_DEVICE_LOSS_MSE, T, false, false, true, {0}, false},
    {GS_DEVICE_LOSS_MSE, T, true, true, true, {3, -4, 60, 40, -300}, false},
    {GS_DEVICE_LOSS_MSE, T, true, true, true, {300, 310, 305, -300, 320}, false},
    {GS_DEVICE_LOSS_MSE, T, true, false, true, {3, -4, 6, 4, -5}, false},
    {GS_DEVICE_LOSS_LINEAR, T, true, true, true, {3, 900, 6, 4, -5}, true},
    {GS_DEVICE_LOSS_MSE, T, true, false, true, {3, 900, 6, 4, -5}, true},
    {GS_DEVICE_LOSS_MSE, T, true, true, true, {3, 900, 6, 4, -5}, true},
};

/* Replica r's loss, and the scale its rounding is relative to: the sum of the
 * terms' magnitudes. */
static double plain_loss(const loss_case *c, const double *h, const double *target, int64_t r,
                         int64_t size, double *magnitude) {
  double sum = 0;
  *magnitude = 0;
  for (int64_t t = 0; t < c->steps; t++)
    for (int64_t i = (t * R + r) * size; i < (t * R + r + 1) * size; i++) {
      const double difference = h[i] - target[i];
      const double term =
          c->kind == GS_DEVICE_LOSS_MSE ? difference * difference / 2 : target[i] * h[i];
      sum += term;
      *magnitude += fabs(term);
    }
  return sum;
}

static void check_loss(const loss_case *c, gs_dtype dtype, int64_t B, int64_t n) {
  const int64_t rows = c->steps * B, slots = c->steps;
  gs_pool pool = gs_pool_open(dtype, rows, n, R, c->steps, 2);
  gs_device *device = pool.device;
  int32_t exponents[T];
  for (int t = 0; t < T; t++) exponents[t] = gs_support_reach(dtype, c->exponents[t]);
  const gs_tensor h = gs_pool_random(
      &pool, (gs_shape){dtype, R, rows, n, 2, .slots = c->slots ? slots : 0}, 1, exponents);
  if (c->dead) gs_pool_zero_step(&pool, &h, c->steps, 1);
  const gs_tensor target = gs_pool_random(&pool, (gs_shape){dtype, R, rows, n, .pad = 1}, 0, NULL);
  gs_tensor dh =
      gs_pool_tensor(&pool, (gs_shape){dtype, R, rows, n, 4, .slots = c->tracked ? slots : 0});
  double *of_target = gs_support_values(device, &target, c->steps);
  if (!c->own_dh) dh = target;
  gs_scaled value[R], *on_device = gs_pool_take(&pool, sizeof value);
  gs_support_ok(device->ops->loss(device, c->kind, &h, &target, c->steps, &dh, on_device),
                &device->error);
  gs_support_ok(device->ops->download(device, value, on_device, sizeof value), &device->error);
  double *of_h = gs_support_values(device, &h, c->steps);
  double *want = zeros(rows * R * n);
  for (int64_t i = 0; i < rows * R * n; i++)
    want[i] = c->kind == GS_DEVICE_LOSS_MSE ? of_h[i] - of_target[i] : of_target[i];
  check_sequence(&pool, &dh, c->steps, want, "dh");
  for (int64_t r = 0; r < R; r++) {
    double magnitude;
    const double loss = plain_loss(c, of_h, of_target, r, B * n, &magnitude);
    const double error = fabs(ldexp(value[r].value, (int)value[r].exponent) - loss);
    assert_true(error <= gs_support_tolerance(dtype) * magnitude);
  }
  free(want);
  free(of_h);
  free(of_target);
  gs_pool_close(&pool);
}

static void test_loss(void **state) {
  static const int64_t sizes[][2] = {{1, 1}, {33, 37}, {1, 33}, {37, 1}};
  (void)state;
  for (int dtype = GS_F64; dtype < GS_DTYPE_COUNT; dtype++)
    for (size_t i = 0; has(dtype) && i < sizeof losses / sizeof *losses; i++)
      for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        check_loss(&losses[i], (gs_dtype)dtype, sizes[s][0], sizes[s][1]);
}

/* ---- the recurrent loops ---- */

typedef struct loop_case {
  gs_dtype dtype;
  gs_loop loop;
  int64_t B, n, replicas;
  gs_activation activation;
  int weight_digit; /* W's entries are about 2^weight_digit, */
  int state_digit;  /* and those of h_0 2^state_digit */
  bool tied, every; /* the loss sees every step */
  bool tracked, dh_slots;
  bool aligned; /* nothing lies between rows */
} loop_case;

/* The W of step t. */
static const double *w_at(const loop_case *c, const double *w, int64_t t, int64_t r) {
  const int64_t matrices = c->tied ? 1 : T; /* w: [R][matrices * n][n] */
  return w + (r * matrices + (c->tied ? 0 : t - 1)) * c->n * c->n;
}

/* h_t ([T + 1][R][B][n], h_0 given) and z_t ([T][R][B][n]) of the plain loop. */
static void plain_forward(const loop_case *c, const double *w, const double *p, double *h,
                          double *z) {
  const int64_t size = c->B * c->n, all = c->replicas * size;
  for (int64_t t = 1; t <= T; t++)
    for (int64_t r = 0; r < c->replicas; r++) {
      double *own = z + (t - 1) * all + r * size;
      gs_reference_gemm(false, true, c->B, c->n, c->n, h + (t - 1) * all + r * size,
                        w_at(c, w, t, r), own);
      for (int64_t i = 0; i < size; i++) {
        own[i] += p[(t - 1) * all + r * size + i];
        h[t * all + r * size + i] = gs_reference_activation(c->activation, own[i]);
      }
    }
}

static double *plain_backward(const loop_case *c, const double *w, const double *z,
                              const double *dh) {
  const int64_t size = c->B * c->n, all = c->replicas * size;
  double *delta = zeros(T * all);
  for (int64_t t = T; t >= 1; t--)
    for (int64_t r = 0; r < c->replicas; r++) {
      double *own = delta + (t - 1) * all + r * size;
      if (t < T)
        gs_reference_gemm(false, false, c->B, c->n, c->n, own + all, w_at(c, w, t + 1, r), own);
      const int64_t block = c->every ? t - 1 : 0;
      for (int64_t i = 0; i < size; i++) {
        if (c->every || t == T) own[i] += dh[block * all + r * size + i];
        own[i] *= gs_reference_slope(c->activation, z[(t - 1) * all + r * size + i]);
      }
    }
  return delta;
}

static int32_t shifted(gs_scale slot, gs_dtype dtype) {
  return gs_scale_input(slot).exponent + gs_scale_shift(slot.peak, dtype);
}

/* The exponents that scale.h makes of those before. */
static void check_forward_slots(gs_device *device, const gs_tensor *h, const loop_case *c) {
  for (int64_t t = 1; h->scale && t <= T; t++)
    for (int64_t r = 0; r < c->replicas; r++) {
      const gs_scale before = gs_support_slot(device, h, (t - 1) * c->replicas + r);
      const gs_scale now = gs_support_slot(device, h, t * c->replicas + r);
      const int32_t expected = gs_scale_join(shifted(before, c->dtype), 0);
      assert_int_equal(now.exponent, gs_activation_grows(c->activation.kind) ? expected : 0);
    }
}

static void check_backward_slots(gs_device *device, const gs_tensor *delta, const gs_tensor *dh,
                                 const loop_case *c) {
  const int64_t count = c->replicas;
  for (int64_t i = 0; delta->scale && i < T * count; i++) {
    const int64_t block = c->every ? i / count : i / count - (T - 1); /* of dh; < 0: none */
    int32_t of_dh = 0, of_next = 0;
    if (dh->scale && block >= 0)
      of_dh = shifted(gs_support_slot(device, dh, block * count + i % count), c->dtype);
    if (i + count < T * count)
      of_next = shifted(gs_support_slot(device, delta, i + count), c->dtype);
    const bool last = i / count == T - 1;
    const int32_t expected = last ? of_dh : block < 0 ? of_next : gs_scale_join(of_next, of_dh);
    assert_int_equal(gs_support_slot(device, delta, i).exponent, expected);
  }
}

typedef struct loop_tensors {
  gs_tensor w, p, h, dh, delta;
  gs_recurrence recurrence;
} loop_tensors;

static loop_tensors make_tensors(gs_pool *pool, const loop_case *c) {
  /* what only slots can hold, where the result has them too */
  static const int32_t near[T] = {4, -4, 3, 0, 2}, far[T] = {4, 0, 200, 0, -300};
  const bool tracked = c->tracked;
  const int64_t rows = T * c->B, seen = c->every ? T : 1;
  gs_shape shape = {.dtype = c->dtype, .replicas = c->replicas, .cols = c->n};
  loop_tensors t;
  shape.rows = (c->tied ? 1 : T) * c->n;
  shape.pad = c->aligned ? 0 : 3;
  t.w = gs_pool_random(pool, shape, c->weight_digit, NULL);
  shape.rows = rows;
  t.p = gs_pool_random(pool, shape, 0, NULL);
  shape.rows = rows + c->B;
  shape.pad = c->aligned ? 0 : 5;
  shape.slots = tracked ? T + 1 : 0;
  t.h = gs_pool_random(pool, shape, c->state_digit, NULL);
  if (tracked) /* what the loop writes is empty, as a step's start leaves it */
    gs_support_ok(
        pool->device->ops->begin_step(pool->device, t.h.scale + c->replicas, T * c->replicas),
        &pool->device->error);
  shape.rows = seen * c->B;
  shape.slots = c->dh_slots ? seen : 0;
  t.dh = gs_pool_random(pool, shape, 0, c->tracked && c->every ? far : near);
  shape.rows = rows;
  shape.slots = c->tracked ? T : 0;
  t.delta = gs_pool_tensor(pool, shape);
  t.recurrence =
      (gs_recurrence){.steps = T, .loop = c->loop, .activation = c->activation, .w = t.w};
  t.recurrence.w.rows = c->n;
  t.recurrence.w_step = c->tied ? 0 : c->n * t.w.ld;
  return t;
}

/* What a failure is called: the activation, how the loop ran, on what. */
static const char *name_of(const loop_case *c) {
  static char name[160];
  snprintf(name, sizeof name, "%s, %s loop, B %d, n %d, tied %d, every %d, tracked %d",
           gs_name(&gs_activation_names, c->activation.kind),
           c->loop == GS_LOOP_PERSISTENT ? "persistent" : "stepwise", (int)c->B, (int)c->n, c->tied,
           c->every, c->tracked);
  return name;
}

static void check_loops(const loop_case *c) {
  const int64_t seen = c->every ? T : 1;
  gs_pool pool = gs_pool_open(c->dtype, T * c->B, c->n, c->replicas, T, 2);
  gs_device *device = pool.device;
  const loop_tensors t = make_tensors(&pool, c);
  double *w = gs_support_download(device, &t.w);
  double *p = gs_support_values(device, &t.p, T);
  double *h = gs_support_values(device, &t.h, T + 1); /* its step 0 is h_0 */
  double *dh = gs_support_values(device, &t.dh, seen);
  double *z = zeros(T * c->replicas * c->B * c->n);
  plain_forward(c, w, p, h, z);
  gs_support_ok(device->ops->recurrent_forward(device, &t.recurrence, &t.p, &t.p, &t.h),
                &device->error);
  check_sequence(&pool, &t.h, T + 1, h, name_of(c));
  check_forward_slots(device, &t.h, c);
  if (t.h.scale) gs_support_check_peaks(device, &t.h, T + 1);
  double *want = plain_backward(c, w, z, dh);
  gs_support_ok(
      device->ops->recurrent_backward(device, &t.recurrence, &t.dh, seen, &t.p, &t.h, &t.delta),
      &device->error);
  check_sequence(&pool, &t.delta, T, want, name_of(c));
  check_backward_slots(device, &t.delta, &t.dh, c);
  if (t.delta.scale) gs_support_check_peaks(device, &t.delta, T);
  free(want);
  free(z);
  free(dh);
  free(h);
  free(p);
  free(w);
  gs_pool_close(&pool);
}

/* Where rounding decides on which side of a kink a unit falls, only precise formats can
 * be held to the reference. */
static bool comparable(gs_dtype dtype, gs_activation_kind kind) {
  const bool kinked = kind == GS_RELU || kind == GS_LEAKY_RELU || kind == GS_SELU;
  return !kinked || dtype == GS_F64 || dtype == GS_F32;
}

/* Step by step, and in one kernel where the device can. */
static void check_both_loops(loop_case c) {
  const bool simple = c.dtype != GS_F64 && c.dtype != GS_TF32;
  if (!comparable(c.dtype, c.activation.kind)) return;
  if (c.dtype == GS_F16 && !c.tracked) return; /* a vanishing delta leaves f16 at once */
  c.loop = GS_LOOP_STEPS;
  check_loops(&c);
  if (!facts()->persistent || !c.tied || !simple) return;
  c.loop = GS_LOOP_PERSISTENT;
  check_loops(&c);
}

static void test_recurrent(void **state) {
  static const int64_t sizes[][3] = {{1, 1, 1},  {3, 33, 2}, {33, 37, 1},
                                     {37, 1, 2}, {1, 33, 3}, {66, 130, 1}};
  (void)state;
  for (int dtype = GS_F64; dtype < GS_DTYPE_COUNT; dtype++)
    for (int kind = 0; has(dtype) && kind < GS_ACTIVATION_COUNT; kind++)
      for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (int variant = 0; variant < 8; variant++)
          if (gs_support_takes(13))
            check_both_loops((loop_case){.dtype = (gs_dtype)dtype,
                                         .B = sizes[s][0],
                                         .n = sizes[s][1],
                                         .replicas = sizes[s][2],
                                         .activation = {(gs_activation_kind)kind, 0.2},
                                         .weight_digit = -3,
                                         .tied = variant & 1,
                                         .every = variant & 2,
                                         .tracked = variant & 4,
                                         .dh_slots = variant & 1});
}

/* W in the registers of several warps a unit and of many blocks, which wait for each other;
 * and read in whole packs, as networks have it. */
static void test_recurrent_wide(void **state) {
  static const int64_t sizes[][2] = {{3, 300}, {5, 512}, {2, 768}};
  (void)state;
  if (getenv("GRADSWEEP_TEST_SIMULATED")) skip(); /* a GPU of few multiprocessors: no room */
  for (int dtype = GS_F32; dtype < GS_DTYPE_COUNT; dtype++)
    for (size_t s = 0; has(dtype) && s < sizeof sizes / sizeof *sizes; s++)
      for (int variant = 0; variant < 4; variant++)
        check_both_loops((loop_case){.dtype = (gs_dtype)dtype,
                                     .B = sizes[s][0],
                                     .n = sizes[s][1],
                                     .replicas = 1,
                                     .activation = {variant & 2 ? GS_SILU : GS_TANH, 0},
                                     .weight_digit = -5,
                                     .tied = true,
                                     .every = variant & 2,
                                     .tracked = variant & 1,
                                     .dh_slots = variant & 1,
                                     .aligned = s > 0});
}

/* Weights so large or small that the loops leave the window within a step or
 * two: as far as scale.h's room for two operations' growth reaches. */
static void test_recurrent_far(void **state) {
  (void)state;
  for (int dtype = GS_F64; dtype <= GS_BF16; dtype++)
    for (int size = -40; has(dtype) && size <= 40; size += 20)
      for (int variant = 0; variant < 8; variant++) {
        if (!gs_support_takes(5)) continue;
        const int wide = dtype == GS_F64 ? 5 : 1;
        check_both_loops((loop_case){.dtype = (gs_dtype)dtype,
                                     .B = 33,
                                     .n = 37,
                                     .replicas = 2,
                                     .activation = {variant & 4 ? GS_LEAKY_RELU : GS_IDENTITY, 0.2},
                                     .weight_digit = wide * size,
                                     .state_digit = variant & 2 ? -60 * wide : 0,
                                     .tied = variant & 1,
                                     .every = variant & 2,
                                     .tracked = true,
                                     .dh_slots = variant & 1});
      }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_weight_gradient), cmocka_unit_test(test_loss),
      cmocka_unit_test(test_recurrent),       cmocka_unit_test(test_recurrent_wide),
      cmocka_unit_test(test_recurrent_far),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
