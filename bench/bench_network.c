/* Networks for benchmarks, and which shapes there are. */
#include "bench_network.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- shapes ---- */

static const gs_bench_shape shapes[] = {
    {GS_MLP, 10, 1024, 256, 1, GS_RELU, GS_F32, GS_LOOP_AUTO},
    {GS_MLP, 4, 2048, 256, 1, GS_RELU, GS_F32, GS_LOOP_AUTO},
    {GS_MLP, 10, 512, 256, 1, GS_RELU, GS_F32, GS_LOOP_AUTO},
    {GS_MLP, 100, 128, 64, 1, GS_RELU, GS_F32, GS_LOOP_AUTO},
    {GS_MLP, 100, 128, 64, 1, GS_TANH, GS_F32, GS_LOOP_AUTO},
    {GS_MLP, 50, 64, 32, 1, GS_RELU, GS_F32, GS_LOOP_AUTO},
    {GS_MLP, 50, 64, 32, 64, GS_RELU, GS_F32, GS_LOOP_AUTO},
    {GS_RNN, 1000, 128, 32, 1, GS_TANH, GS_F32, GS_LOOP_AUTO},
    {GS_RNN, 100, 128, 32, 16, GS_TANH, GS_F32, GS_LOOP_AUTO},
};

/* Of GPUs, by families: each is the product of its lists. */
typedef struct family {
  gs_model model;
  int64_t lengths[2], widths[3], batches[2]; /* 0: none */
  gs_activation_kind activations[3];
  int activation_count;
  gs_dtype dtypes[3];
  int dtype_count;
  gs_loop loops[2];
  int loop_count;
  int64_t replicas;
} family;

static const family gpu_families[] = {
    /* wide: arithmetic is what counts, on the tensor cores too */
    {GS_MLP,
     {10},
     {2048, 4096},
     {1024, 2048},
     {GS_RELU, GS_TANH, GS_GELU},
     3,
     {GS_F32, GS_TF32, GS_BF16},
     3,
     {GS_LOOP_AUTO},
     1,
     1},
    /* deep: the chain of products is */
    {GS_MLP, {100, 1000}, {128, 512}, {64, 256}, {GS_RELU}, 1, {GS_F32}, 1, {GS_LOOP_AUTO}, 1, 1},
    {GS_RNN,
     {1024},
     {256, 1024, 2048},
     {64},
     {GS_TANH, GS_RELU, GS_SIGMOID},
     3,
     {GS_F32},
     1,
     {GS_LOOP_STEPS, GS_LOOP_PERSISTENT},
     2,
     1},
    {GS_MLP, {50}, {64}, {32}, {GS_RELU}, 1, {GS_F32}, 1, {GS_LOOP_AUTO}, 1, 1024},
};

enum { MAX_CASES = 256 };
static gs_bench_step_case all_cases[MAX_CASES];
static int case_count = -1;

static void add_shape(gs_bench_shape shape) {
  const int launches = gs_bench_info()->graphs ? 2 : 1;
  if (!gs_bench_has_dtype(shape.dtype)) return;
  for (int graph = 0; graph < launches && case_count < MAX_CASES; graph++) {
    all_cases[case_count++] = (gs_bench_step_case){shape, graph != 0};
  }
}

/* The activations, dtypes and loops of a family at one size. */
static void add_kinds(const family *f, int64_t length, int64_t width, int64_t batch) {
  for (int a = 0; a < f->activation_count; a++)
    for (int d = 0; d < f->dtype_count; d++)
      for (int l = 0; l < f->loop_count; l++)
        add_shape((gs_bench_shape){f->model, length, width, batch, f->replicas, f->activations[a],
                                   f->dtypes[d], f->loops[l]});
}

static void add_family(const family *f) {
  for (int i = 0; i < 2 && f->lengths[i]; i++)
    for (int j = 0; j < 3 && f->widths[j]; j++)
      for (int k = 0; k < 2 && f->batches[k]; k++)
        add_kinds(f, f->lengths[i], f->widths[j], f->batches[k]);
}

int gs_bench_step_cases(const gs_bench_step_case **cases) {
  *cases = all_cases;
  if (case_count >= 0) return case_count;
  case_count = 0;
  for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++) add_shape(shapes[k]);
  if (!gs_bench_is_gpu()) return case_count;
  for (size_t k = 0; k < sizeof gpu_families / sizeof *gpu_families; k++) {
    add_family(&gpu_families[k]);
  }
  return case_count;
}

void gs_bench_register_step(const char *group, const gs_bench_step_case *which, const char *suffix,
                            gs_bench_function function, gs_bench_clock clock, double min_time_s) {
  const gs_bench_shape *s = &which->shape;
  char name[224];
  snprintf(name, sizeof name,
           "%s/%s:%" PRId64 "/width:%" PRId64 "/batch:%" PRId64 "/replicas:%" PRId64
           "/%s%s%s%s%s%s%s",
           group, s->model == GS_MLP ? "mlp/depth" : "rnn/length", s->length, s->width, s->batch,
           s->replicas, gs_name(&gs_activation_names, s->activation), s->dtype == GS_F32 ? "" : "/",
           s->dtype == GS_F32 ? "" : gs_name(&gs_dtype_names, s->dtype),
           s->loop == GS_LOOP_AUTO ? "" : "/loop:",
           s->loop == GS_LOOP_AUTO ? "" : gs_name(&gs_loop_names, s->loop), suffix,
           !gs_bench_info()->graphs ? ""
           : which->graph           ? "/launch:graph"
                                    : "/launch:eager");
  gs_bench_register(name, function, which, clock, min_time_s);
}

/* ---- networks ---- */

static gs_status make_config(const gs_bench_shape *s, gs_stats_level stats, gs_config *config,
                             gs_error *error) {
  GS_TRY(gs_config_default(s->model, config, error));
  if (s->model == GS_MLP) {
    GS_TRY(gs_config_set_widths(config, s->length, s->width, error));
  } else {
    config->hidden = config->input = s->width;
    config->seq_len = s->length;
  }
  config->batch = s->batch;
  config->replicas = s->replicas;
  config->activation.kind = config->output_activation.kind = s->activation;
  config->init.kind = s->activation == GS_RELU ? GS_INIT_HE_NORMAL : GS_INIT_XAVIER_NORMAL;
  config->dtype = s->dtype;
  config->loop = s->loop;
  config->stats = stats;
  return gs_config_check(config, error);
}

/* The device's own error has the words. */
static gs_status enqueue_step(gs_device *device, const void *subject) {
  const gs_bench_network *open = subject;
  (void)device;
  return gs_network_step(open->network, false, NULL);
}

static gs_status enqueue_measured_step(gs_device *device, const void *subject) {
  const gs_bench_network *open = subject;
  (void)device;
  return gs_network_step(open->network, true, NULL);
}

bool gs_bench_network_open(gs_bench *bench, const gs_bench_step_case *which, gs_stats_level stats,
                           gs_bench_network *open) {
  gs_error error = {0};
  gs_config config = {0};
  *open = (gs_bench_network){.without = {.enqueue = enqueue_step, .subject = open},
                             .with = {.enqueue = enqueue_measured_step, .subject = open}};
  gs_status status = make_config(&which->shape, stats, &config, &error);
  if (status == GS_OK) {
    open->cost = gs_cost_of(&config);
    status = gs_network_create(gs_bench_device(), &config, NULL, &open->network, &error);
  }
  gs_config_clear(&config);
  if (!gs_bench_ok(bench, status, &error)) return false;
  if (!which->graph) return true;
  return gs_bench_capture(bench, &open->without) &&
         (stats == GS_STATS_OFF || gs_bench_capture(bench, &open->with));
}

void gs_bench_network_close(gs_bench_network *open) {
  gs_bench_release(&open->without);
  gs_bench_release(&open->with);
  gs_network_destroy(open->network);
  open->network = NULL;
}
