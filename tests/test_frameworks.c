/* What a framework's name in `init` means, against the frameworks' own modules:
 * tests/data/frameworks.txt (tools/golden/framework_statistics.py) has mean and standard
 * deviation of log10 of the norm of every quantity, over NETWORKS seeds of PyTorch and of
 * Keras. The same number of networks of ours must have the same, within the standard errors
 * of both samples: sd (2/N)^(1/2) for a mean, (1/N)^(1/2) for ln of an sd. Of so many
 * comparisons (some 450) one in 10,000 runs may have one beyond 5.2. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "measure/layers.h"
#include "support_network.h"
#include "support_sanitizer.h"
#include "sweep/spec.h"

#define LIMIT 5.2

enum { MAX_ROWS = 64, PIECE = 20 /* networks at a time, for little memory */ };

typedef struct row {
  gs_quantity quantity;
  int64_t point;
  double mean, sd;
} row;

typedef struct golden {
  char init[32], model[8], activation[16];
  int64_t length, units, inputs, batch, networks;
  row rows[MAX_ROWS];
  int count;
} golden;

typedef struct sum {
  double first, second; /* of the differences from the golden mean */
} sum;

/* ---- reading ---- */

static gs_quantity quantity_of(const char *name) {
  int q = 0;
  while (q < GS_QUANTITY_COUNT && strcmp(gs_name(&gs_quantity_names, (gs_quantity)q), name) != 0)
    q++;
  assert_true(q < GS_QUANTITY_COUNT);
  return (gs_quantity)q;
}

static bool next_line(FILE *file, char line[256]) {
  while (fgets(line, 256, file)) {
    if (line[0] != '#') return true;
  }
  return false;
}

static bool next_case(FILE *file, golden *g) {
  char line[256];
  char name[32];
  *g = (golden){.count = 0};
  if (!next_line(file, line)) return false;
  assert_int_equal(
      sscanf(line, "case %31s %7s %15s %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64 "",
             g->init, g->model, g->activation, &g->length, &g->units, &g->inputs, &g->batch,
             &g->networks),
      8);
  while (next_line(file, line) && strcmp(line, "end\n") != 0) {
    row *r = &g->rows[g->count++];
    assert_true(g->count < MAX_ROWS);
    assert_int_equal(sscanf(line, "%31s %" SCNd64 " %lf %lf", name, &r->point, &r->mean, &r->sd),
                     4);
    r->quantity = quantity_of(name);
  }
  assert_true(g->count > 0 && g->networks >= 20);
  return true;
}

/* ---- our networks ---- */

/* The configuration by its names, as a user writes it; `rest` are more parameters. */
static gs_config config_of(const golden *g, const char *rest) {
  gs_error error = {0};
  gs_config config;
  char text[512];
  char sizes[256];
  const bool mlp = strcmp(g->model, "mlp") == 0;
  if (mlp) {
    int used = snprintf(sizes, sizeof sizes, "\"widths\": [%" PRId64 "", g->inputs);
    for (int64_t l = 0; l < g->length; l++) {
      used += snprintf(sizes + used, sizeof sizes - (size_t)used, ",%" PRId64 "", g->units);
    }
    snprintf(sizes + used, sizeof sizes - (size_t)used, "]");
  } else {
    snprintf(sizes, sizeof sizes,
             "\"hidden\": %" PRId64 ", \"input\": %" PRId64 ", \"seq_len\": %" PRId64 "", g->units,
             g->inputs, g->length);
  }
  snprintf(text, sizeof text,
           "{\"model\": \"%s\", %s, \"activation\": \"%s\", \"init\": \"%s\", \"batch\": %" PRId64
           ", "
           "\"replicas\": %d, \"stats\": \"norms\"%s}",
           g->model, sizes, g->activation, g->init, g->batch, PIECE, rest);
  cJSON *object = NULL;
  gs_support_ok(gs_json_parse(text, strlen(text), "case", &object, &error), &error);
  gs_support_ok(gs_config_from_json(object, "$", &config, &error), &error);
  cJSON_Delete(object);
  return config;
}

static void add_networks(gs_device *device, const gs_config *config, const golden *g, sum *sums) {
  gs_network *network = gs_support_network(device, config, false);
  gs_support_step(network, true);
  gs_quantity_stats stats[GS_QUANTITY_COUNT];
  for (int q = 0; q < GS_QUANTITY_COUNT; q++) stats[q] = gs_support_stats(network, (gs_quantity)q);
  for (int i = 0; i < g->count; i++) {
    const gs_quantity_stats *of = &stats[g->rows[i].quantity];
    if (g->rows[i].point > of->points) continue; /* no biases: no gradients of them */
    for (int64_t r = 0; r < PIECE; r++) {
      const gs_stats *at = &of->stats[(g->rows[i].point - 1) * PIECE + r];
      const double difference = gs_stats_log10_norm(at) - g->rows[i].mean;
      sums[i].first += difference;
      sums[i].second += difference * difference;
    }
  }
  for (int q = 0; q < GS_QUANTITY_COUNT; q++) gs_quantity_stats_clear(&stats[q]);
  gs_network_destroy(network);
}

/* The largest number of standard errors that a mean or an sd is off. */
static double worst_of(gs_device *device, const golden *g, const char *rest, bool shown) {
  sum sums[MAX_ROWS] = {{0, 0}};
  gs_config config = config_of(g, rest);
  const double N = (double)(g->networks / PIECE * PIECE);
  double worst = 0;
  for (int64_t done = 0; done + PIECE <= g->networks; done += PIECE) {
    config.seed = (uint64_t)done + 1;
    add_networks(device, &config, g, sums);
  }
  for (int i = 0; i < g->count; i++) {
    const row *r = &g->rows[i];
    const double difference = sums[i].first / N;
    const double sd = sqrt((sums[i].second / N - difference * difference) * N / (N - 1));
    const double mean_z = fabs(difference) / sqrt((r->sd * r->sd + sd * sd) / N);
    const double sd_z = fabs(log(sd / r->sd)) * sqrt(N);
    if (shown && !(fmax(mean_z, sd_z) <= LIMIT)) {
      print_message("%s %s %s: %s %" PRId64 ": %.4f more than %.4f, sd %.4f for %.4f\n", g->init,
                    g->model, g->activation, gs_name(&gs_quantity_names, r->quantity), r->point,
                    difference, r->mean, sd, r->sd);
    }
    if (!(mean_z <= worst && sd_z <= worst)) worst = fmax(mean_z, sd_z);
  }
  gs_config_clear(&config);
  return worst;
}

static FILE *open_golden(void) {
  FILE *file = fopen(gs_support_path("tests/data/frameworks.txt"), "r");
  assert_non_null(file);
  return file;
}

/* ---- tests ---- */

static void test_as_the_frameworks(void **state) {
  FILE *file = open_golden();
  golden g;
  int cases = 0;
  for (; next_case(file, &g); cases++) {
    if (GS_SANITIZED && cases % 4) continue; /* slow there */
    const double worst = worst_of(*state, &g, "", true);
    print_message("%s %s %s: at most %.1f standard errors\n", g.init, g.model, g.activation, worst);
    assert_true(worst <= LIMIT);
  }
  assert_true(cases >= 10);
  (void)fclose(file);
}

/* What the names have not always set would not pass. */
static void test_what_is_left_out_shows(void **state) {
  FILE *file = open_golden();
  golden g;
  while (next_case(file, &g)) {
    if (GS_SANITIZED || strcmp(g.init, "torch_default") != 0) continue;
    assert_true(worst_of(*state, &g, ", \"bias_std\": 0", false) > LIMIT);
    if (strcmp(g.model, "rnn") != 0) continue;
    assert_true(worst_of(*state, &g, ", \"input_init\": \"scaled\"", false) > LIMIT);
  }
  (void)fclose(file);
}

/* 50 layers of relu: the gradient of the first layer's weights is eighteen decades below
 * the last's, and without biases all are alike. */
static void test_deep_relu(void **state) {
  for (int biases = 0; biases < 2; biases++) {
    golden g = {.init = "torch_default",
                .model = "mlp",
                .activation = "relu",
                .length = 50,
                .units = 64,
                .inputs = 64,
                .batch = 8,
                .networks = PIECE,
                .count = 2,
                .rows = {{GS_GRAD_WEIGHT, 1, 0, 1}, {GS_GRAD_WEIGHT, 50, 0, 1}}};
    sum sums[2] = {{0, 0}};
    gs_config config = config_of(&g, biases ? "" : ", \"bias_std\": 0");
    add_networks(*state, &config, &g, sums);
    const double decades = (sums[0].first - sums[1].first) / PIECE;
    print_message("dW^1 over dW^50: %.2f decades\n", decades);
    assert_true(fabs(decades + (biases ? 18 : 0)) < 0.5);
    gs_config_clear(&config);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_as_the_frameworks),
      cmocka_unit_test(test_what_is_left_out_shows),
      cmocka_unit_test(test_deep_relu),
  };
  return cmocka_run_group_tests(tests, gs_support_open_device_alone, gs_support_close_device);
}
