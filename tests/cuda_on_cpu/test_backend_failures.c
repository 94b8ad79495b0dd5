/* What if a call of CUDA's fails? The k-th allocation, launch or any other call, for
 * every k, while a device is opened, a network made, stepped, captured, replayed and
 * destroyed: the answer is always a status with words or a whole result, nothing leaks,
 * and the device works as before, unless it says that it is lost. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "cuda_on_cpu_control.h"
#include "device/device.h"
#include "measure/measure.h"
#include "support_network.h"

/* ---- failures ---- */

typedef enum failure { FAIL_ANY, FAIL_MALLOC, FAIL_LAUNCH, STICKY_LAUNCH } failure;
static const char *const kind_names[] = {"call", "allocation", "launch", "launch for good"};

static void fail_at(failure kind, long k) {
  gs_sim_failures failures = {.devices = 1};
  if (kind == FAIL_ANY) failures.fail_any = k;
  if (kind == FAIL_MALLOC) failures.fail_malloc = k;
  if (kind == FAIL_LAUNCH) failures.fail_launch = k;
  if (kind == STICKY_LAUNCH) failures.sticky_launch = k;
  gs_sim_set_failures(&failures);
}

static void fail_no_more(void) { fail_at(FAIL_ANY, 0); }

/* How many calls of this kind there were since fail_at. */
static long counted(failure kind) {
  gs_sim_counts counts;
  gs_sim_get_counts(&counts);
  return kind == FAIL_ANY ? counts.calls : kind == FAIL_MALLOC ? counts.mallocs : counts.launches;
}

/* ---- networks ---- */

enum { MLP, MLP_F16, RNN_STEPS, RNN_PERSISTENT, ORTHOGONAL, CONFIGS };
static const char *const config_names[CONFIGS] = {"mlp", "f16 mlp", "rnn", "persistent rnn",
                                                  "orthogonal mlp"};

static gs_config config_of(int which) {
  const bool mlp = which == MLP || which == MLP_F16 || which == ORTHOGONAL;
  gs_config config = mlp ? gs_support_mlp(3, 5, GS_TANH, GS_INIT_XAVIER_NORMAL)
                         : gs_support_rnn(3, 6, GS_GELU, GS_INIT_HE_NORMAL);
  config.batch = 3;
  config.replicas = 2;
  config.bias_std = 0.1;
  config.loss = GS_LOSS_MSE;
  if (which == MLP_F16) config.dtype = GS_F16;
  if (which == RNN_STEPS) config.loop = GS_LOOP_STEPS;
  if (which == RNN_PERSISTENT) config.loop = GS_LOOP_PERSISTENT;
  if (which == ORTHOGONAL) config.init = gs_init_default(GS_INIT_ORTHOGONAL);
  return config;
}

/* A hash of everything that a measurement reads: weights' hash, losses, statistics. */
static gs_status read_results(gs_network *network, uint64_t *results, gs_error *error) {
  gs_scaled loss[2];
  uint64_t hash = 0;
  GS_TRY(gs_network_weights_hash(network, &hash, error));
  GS_TRY(gs_network_loss(network, loss, error));
  hash = gs_hash_bytes(hash, loss, sizeof loss);
  for (int q = 0; q < GS_QUANTITY_COUNT; q++) {
    gs_quantity_stats stats;
    GS_TRY(gs_network_stats(network, (gs_quantity)q, &stats, error));
    const size_t entries = (size_t)stats.points * 2;
    if (entries > 0) {
      hash = gs_hash_bytes(hash, stats.stats, entries * sizeof *stats.stats);
      hash = gs_hash_bytes(hash, stats.histogram,
                           entries * (size_t)stats.bins * sizeof *stats.histogram);
    }
    gs_quantity_stats_clear(&stats);
  }
  *results = hash;
  return GS_OK;
}

static gs_status step_and_read(gs_network *network, uint64_t *results, gs_error *error) {
  GS_TRY(gs_network_step(network, true, error));
  return read_results(network, results, error);
}

/* ---- a life: what one cell's measurement asks of a device ---- */

/* The words of a device's error, as the program's own callers take them. */
static gs_status said(gs_device *device, gs_status status, gs_error *error) {
  if (status != GS_OK) *error = device->error;
  return status;
}

static gs_status capture(gs_network *network, gs_graph **graph, gs_error *error) {
  gs_device *device = gs_network_device(network);
  GS_TRY(said(device, device->ops->capture_begin(device), error));
  const gs_status status = gs_network_step(network, true, error);
  gs_error later;
  const gs_status ended = said(device, device->ops->capture_end(device, graph), &later);
  if (status == GS_OK && ended != GS_OK) *error = later;
  return status != GS_OK ? status : ended;
}

static gs_status time_replays(gs_device *device, gs_graph *graph, gs_event *start, gs_event *stop,
                              gs_error *error) {
  double ns = -1;
  GS_TRY(said(device, device->ops->record(device, start), error));
  GS_TRY(said(device, device->ops->replay(device, graph), error));
  GS_TRY(said(device, device->ops->record(device, stop), error));
  GS_TRY(said(device, device->ops->sync(device), error));
  GS_TRY(said(device, device->ops->elapsed(device, start, stop, &ns), error));
  assert_true(ns >= 0);
  return GS_OK;
}

static gs_status replay(gs_network *network, uint64_t *results, gs_error *error) {
  gs_device *device = gs_network_device(network);
  gs_graph *graph = NULL;
  gs_event *start = NULL;
  gs_event *stop = NULL;
  gs_status status = said(device, device->ops->event_create(device, &start), error);
  if (status == GS_OK) status = said(device, device->ops->event_create(device, &stop), error);
  if (status == GS_OK) status = capture(network, &graph, error);
  if (status == GS_OK) status = time_replays(device, graph, start, stop, error);
  if (status == GS_OK) status = read_results(network, results, error);
  device->ops->graph_destroy(device, graph);
  device->ops->event_destroy(device, start);
  device->ops->event_destroy(device, stop);
  return status;
}

typedef struct lifetime {
  gs_device *device;
  gs_network *network;
  uint64_t results, replayed;
} lifetime;

static gs_status live(lifetime *life, const gs_config *config, gs_error *error) {
  GS_TRY(gs_cuda_device_create("auto", &life->device, error));
  GS_TRY(gs_network_create(life->device, config, NULL, &life->network, error));
  GS_TRY(step_and_read(life->network, &life->results, error));
  return replay(life->network, &life->replayed, error);
}

static void end(lifetime *life) {
  gs_network_destroy(life->network);
  if (life->device) life->device->ops->destroy(life->device);
  memset(life, 0, sizeof *life);
}

/* ---- judging ---- */

static void assert_nothing_left(const char *where) {
  gs_sim_counts c;
  gs_sim_get_counts(&c);
  const long left = c.live_allocations + c.live_host_allocations + c.live_streams + c.live_events +
                    c.live_graphs + c.live_graph_execs + c.live_handles;
  if (left != 0) {
    fail_msg("%s: left %ld allocations, %ld streams, %ld events, %ld + %ld graphs, %ld handles",
             where, c.live_allocations, c.live_streams, c.live_events, c.live_graphs,
             c.live_graph_execs, c.live_handles);
  }
}

/* A failure's status is one that its cell's record can use: "out of memory" and
 * "unsupported" would make a skipped cell of it. cuBLASLt has no other word than memory
 * for what keeps it from starting. */
static void assert_right_status(failure kind, gs_status status, const gs_error *error,
                                const char *where) {
  if (strlen(error->message) < 10 || strchr(error->message, '\n') || error->status != status) {
    fail_msg("%s: status %s, words \"%s\"", where, gs_name(&gs_status_names, status),
             error->message);
  }
  const bool memory = kind == FAIL_MALLOC || strstr(error->message, "starting cuBLASLt");
  const bool right = status == (memory ? GS_ERR_MEMORY : GS_ERR_DEVICE);
  if (!right) fail_msg("%s: %s, \"%s\"", where, gs_name(&gs_status_names, status), error->message);
}

/* After a failure that does not last, the network that was there gives what it always
 * gives; and so does another on the same device, which takes more time to look at. */
static void assert_recovers(lifetime *life, const gs_config *config, uint64_t wanted, bool another,
                            const char *where) {
  gs_error error = {0};
  uint64_t results = wanted;
  uint64_t replayed = wanted;
  gs_status status = GS_OK;
  if (life->network) status = step_and_read(life->network, &results, &error);
  if (status == GS_OK && results != wanted) fail_msg("%s: then other results", where);
  if (status == GS_OK && another) {
    gs_network_destroy(life->network);
    life->network = NULL;
    status = gs_network_create(life->device, config, NULL, &life->network, &error);
    if (status == GS_OK) status = step_and_read(life->network, &results, &error);
    if (status == GS_OK) status = replay(life->network, &replayed, &error);
  }
  if (status != GS_OK) fail_msg("%s: no recovery: %s", where, error.message);
  if (results != wanted || replayed != wanted) fail_msg("%s: then others differ", where);
}

static void check_failure(failure kind, long k, const gs_config *config, const char *name,
                          uint64_t wanted) {
  lifetime life = {0};
  gs_error error = {0};
  char where[96];
  snprintf(where, sizeof where, "%s, %s %ld fails", name, kind_names[kind], k);
  fail_at(kind, k);
  const gs_status status = live(&life, config, &error);
  if (status != GS_OK) assert_right_status(kind, status, &error, where);
  if (status == GS_OK && (life.results != wanted || life.replayed != wanted)) {
    fail_msg("%s, unnoticed: other results", where);
  }
  if (life.device && status != GS_OK && life.device->lost != (kind == STICKY_LAUNCH)) {
    fail_msg("%s: the device is %slost", where, life.device->lost ? "" : "not ");
  }
  if (kind != STICKY_LAUNCH) fail_no_more();
  if (kind != STICKY_LAUNCH && life.device) {
    assert_recovers(&life, config, wanted, k % 4 == 0, where);
  }
  end(&life);
  assert_nothing_left(where);
  fail_no_more();
}

/* Every k; of the many calls of a step every `stride`-th, beginning elsewhere for each
 * configuration. Work runs at once, or, for other configurations, as late as it may: then
 * it meets memory that an error has freed too early. GRADSWEEP_TEST_EVERY_FAILURE=1: every k
 * (minutes). */
static void check_all(failure kind, int which, long stride) {
  enum { TO_OPEN = 24 /* calls before the first step, or so */, LAZY_MODES = 3 };
  const bool every = stride == 1 || getenv("GRADSWEEP_TEST_EVERY_FAILURE");
  gs_config config = config_of(which);
  gs_error error = {0};
  lifetime life = {0};
  fail_no_more();
  gs_sim_set_lazy(which % LAZY_MODES);
  gs_support_ok(live(&life, &config, &error), &error);
  const uint64_t wanted = life.results;
  assert_true(wanted == life.replayed);
  const long there_are = counted(kind);
  end(&life);
  assert_nothing_left("nothing fails");
  assert_true(there_are > 1); /* they were counted */
  for (long k = 1; k <= there_are; k++) {
    const bool taken = every || (kind == FAIL_ANY && which == 0 && k < TO_OPEN);
    if (taken || k % stride == which % stride) {
      check_failure(kind, k, &config, config_names[which], wanted);
    }
  }
  gs_sim_set_lazy(0);
  gs_config_clear(&config);
}

static void test_allocations(void **state) {
  (void)state;
  for (int which = 0; which < CONFIGS; which++) check_all(FAIL_MALLOC, which, 1);
}

static void test_launches(void **state) {
  (void)state;
  for (int which = 0; which < CONFIGS; which++) check_all(FAIL_LAUNCH, which, 7);
}

static void test_lost_devices(void **state) {
  (void)state;
  for (int which = 0; which < CONFIGS; which++) check_all(STICKY_LAUNCH, which, 7);
}

static void test_calls(void **state) {
  (void)state;
  for (int which = 0; which < CONFIGS; which++) check_all(FAIL_ANY, which, 17);
}

/* ---- records ---- */

/* Measures a cell and returns how it ended: a failing GPU must not pass for one that has
 * too little memory or cannot do what is asked. */
static bool record_is_ok(gs_device *device, const gs_config *config, const char *where) {
  gs_measure_options options = gs_measure_defaults();
  gs_error error = {0};
  cJSON *record = NULL;
  options.timing.time_limit_s = 1e-9; /* one sample */
  gs_support_ok(gs_measure_cell(device, config, &options, &record, &error), &error);
  const char *status = cJSON_GetStringValue(cJSON_GetObjectItem(record, "status"));
  const char *words = cJSON_GetStringValue(cJSON_GetObjectItem(record, "error"));
  const bool ok = strcmp(status, "ok") == 0;
  const bool failed = strcmp(status, "failed") == 0 && words && strstr(words, ": CU");
  const bool refused = strcmp(status, "failed") == 0 && words && strstr(words, ": cuBLASLt");
  if (!ok && !failed && !refused) fail_msg("%s: %s, %s", where, status, words ? words : "");
  cJSON_Delete(record);
  return ok;
}

static void test_records(void **state) {
  (void)state;
  gs_config config = config_of(MLP);
  gs_device *device = NULL;
  gs_error error = {0};
  char where[64];
  long there_are = 1;
  fail_no_more();
  for (long k = 0; k <= there_are; k += k < 8 ? 1 : 37) { /* 0: nothing fails */
    gs_support_ok(gs_cuda_device_create("auto", &device, &error), &error);
    fail_at(FAIL_ANY, k);
    snprintf(where, sizeof where, "call %ld of a cell fails", k);
    const bool ok = record_is_ok(device, &config, where);
    if (k == 0) there_are = counted(FAIL_ANY);
    fail_no_more();
    assert_true(ok || k > 0);
    assert_false(device->lost);
    assert_true(record_is_ok(device, &config, where));
    device->ops->destroy(device);
  }
  gs_config_clear(&config);
}

/* The GPU falls off its bus between two cells. */
static void test_record_of_a_lost_device(void **state) {
  (void)state;
  gs_config config = config_of(MLP);
  gs_device *device = NULL;
  gs_error error = {0};
  void *slot = NULL;
  fail_no_more();
  gs_support_ok(gs_cuda_device_create("auto", &device, &error), &error);
  gs_support_ok(device->ops->alloc(device, sizeof(gs_scale), &slot), &device->error);
  fail_at(STICKY_LAUNCH, 1);
  gs_support_ok(device->ops->begin_step(device, slot, 1), &device->error);
  assert_false(device->lost); /* nobody knows yet */
  assert_false(record_is_ok(device, &config, "the device is lost"));
  assert_true(device->lost);
  device->ops->free(device, slot);
  device->ops->destroy(device);
  assert_nothing_left("the device is lost");
  fail_no_more();
  gs_config_clear(&config);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_allocations),  cmocka_unit_test(test_launches),
      cmocka_unit_test(test_lost_devices), cmocka_unit_test(test_calls),
      cmocka_unit_test(test_records),      cmocka_unit_test(test_record_of_a_lost_device),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
