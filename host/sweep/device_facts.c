/* Facts about a device. See device_facts.h. */
#include "sweep/device_facts.h"

#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/hash.h"
#include "base/json_writer.h"
#include "device/device.h"
#include "net/config.h"
#include "sweep/text.h"

/* f32 and f64 first: the two that every device has. */
static const gs_dtype dtypes_in_order[] = {GS_F32, GS_F64, GS_TF32, GS_BF16, GS_F16};
enum { DTYPES = sizeof dtypes_in_order / sizeof *dtypes_in_order };

/* ---- what it is ---- */

static void put_dtypes(gs_json_writer *w, uint32_t dtypes) {
  gs_json_open_array(w, "dtypes");
  for (int i = 0; i < DTYPES; i++) {
    const gs_dtype dtype = dtypes_in_order[i];
    if (dtypes >> dtype & 1u) gs_json_put_string(w, NULL, gs_name(&gs_dtype_names, dtype));
  }
  gs_json_close(w);
}

static void put_if_there(gs_json_writer *w, const char *key, const char *text) {
  if (text[0]) gs_json_put_string(w, key, text);
}

cJSON *gs_device_facts(gs_device *device) {
  gs_device_info info;
  memset(&info, 0, sizeof info);
  device->ops->info(device, &info);
  gs_json_writer w = gs_json_writer_object();
  gs_json_put_string(&w, "backend", info.backend);
  gs_json_put_string(&w, "name", info.name);
  put_if_there(&w, "uuid", info.uuid);
  put_if_there(&w, "pci", info.pci);
  put_if_there(&w, "capability", info.capability);
  if (info.multiprocessors != 0) gs_json_put_int(&w, "multiprocessors", info.multiprocessors);
  put_if_there(&w, "driver", info.driver);
  gs_json_put_int(&w, "threads", info.threads);
  gs_json_put_int(&w, "memory_bytes", info.memory_bytes);
  put_dtypes(&w, info.dtypes);
  gs_json_put_bool(&w, "graphs", info.graphs);
  gs_json_put_bool(&w, "persistent", info.persistent);
  gs_json_put_string(&w, "libraries", info.libraries);
  return gs_json_finish(&w);
}

static bool same_fact(const cJSON *a, const cJSON *b, const char *key) {
  const cJSON *of_a = gs_json_get(a, key);
  const cJSON *of_b = gs_json_get(b, key);
  return (!of_a && !of_b) || cJSON_Compare(of_a, of_b, true);
}

/* But for which one it is. */
static bool same_kind(const cJSON *a, const cJSON *b) {
  static const char *const keys[] = {"backend", "name", "driver", "threads", "libraries"};
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
    if (!same_fact(a, b, keys[i])) return false;
  }
  return true;
}

bool gs_device_facts_same(const cJSON *a, const cJSON *b) {
  return same_kind(a, b) && same_fact(a, b, "uuid");
}

/* ---- which one it is ---- */

cJSON *gs_device_facts_public(const cJSON *facts, bool identify) {
  cJSON *copy = cJSON_Duplicate(facts, true);
  if (copy && !identify) {
    cJSON_DeleteItemFromObjectCaseSensitive(copy, "uuid");
    cJSON_DeleteItemFromObjectCaseSensitive(copy, "pci");
  }
  return copy;
}

enum { HASH_BYTES = 17 };

static void hash_text(const char *salt, const char *uuid, char text[HASH_BYTES]) {
  const uint64_t salted = gs_hash_bytes(GS_HASH_START, salt, strlen(salt));
  snprintf(text, HASH_BYTES, "%016" PRIx64, gs_hash_bytes(salted, uuid, strlen(uuid)));
}

/* Different every time; nothing needs it to be secret. */
static void draw_salt(char text[HASH_BYTES]) {
  uint64_t number = 0;
  struct timespec now;
  if (getrandom(&number, sizeof number, GRND_NONBLOCK) != (ssize_t)sizeof number) {
    clock_gettime(CLOCK_REALTIME, &now);
    number = gs_hash_bytes(GS_HASH_START, &now, sizeof now);
  }
  snprintf(text, HASH_BYTES, "%016" PRIx64, number);
}

cJSON *gs_device_token(const cJSON *facts) {
  const char *uuid = cJSON_GetStringValue(gs_json_get(facts, "uuid"));
  if (!uuid) return cJSON_CreateNull();
  char salt[HASH_BYTES];
  char hash[HASH_BYTES];
  draw_salt(salt);
  hash_text(salt, uuid, hash);
  gs_json_writer w = gs_json_writer_object();
  gs_json_put_string(&w, "salt", salt);
  gs_json_put_string(&w, "hash", hash);
  return gs_json_finish(&w);
}

/* Without a token the device has no UUID. */
static bool is_token_of(const cJSON *token, const cJSON *facts) {
  const char *uuid = cJSON_GetStringValue(gs_json_get(facts, "uuid"));
  const char *salt = cJSON_GetStringValue(gs_json_get(token, "salt"));
  const char *wanted = cJSON_GetStringValue(gs_json_get(token, "hash"));
  if (!uuid || !salt || !wanted) return !uuid && (!token || cJSON_IsNull(token));
  char hash[HASH_BYTES];
  hash_text(salt, uuid, hash);
  return strcmp(hash, wanted) == 0;
}

bool gs_device_facts_again(const cJSON *recorded, const cJSON *token, const cJSON *facts) {
  return same_kind(recorded, facts) && is_token_of(token, facts) &&
         (!gs_json_get(recorded, "uuid") || same_fact(recorded, facts, "uuid"));
}

/* ---- how fast it is ---- */

enum { KEY_BYTES = 32 };

static const char *rate_key(gs_dtype dtype, char key[KEY_BYTES]) {
  snprintf(key, KEY_BYTES, "flops_per_s_%s", gs_name(&gs_dtype_names, dtype));
  return key;
}

/* What parts of a GPU wait for each other: the key, and how people call it. */
static const struct latency {
  const char *key, *label;
  size_t offset;
} latencies[] = {
    {"block_barrier_ns", "block barrier", offsetof(gs_roofline, block_barrier_ns)},
    {"cluster_hop_ns", "cluster hop", offsetof(gs_roofline, cluster_hop_ns)},
    {"cluster_barrier_ns", "cluster barrier", offsetof(gs_roofline, cluster_barrier_ns)},
    {"grid_barrier_ns", "grid barrier", offsetof(gs_roofline, grid_barrier_ns)},
};
enum { LATENCIES = sizeof latencies / sizeof *latencies };

static double latency_of(const gs_roofline *roofline, const struct latency *which) {
  double ns;
  memcpy(&ns, (const char *)roofline + which->offset, sizeof ns);
  return ns;
}

static double rate_or_null(double rate) { return rate > 0 ? rate : (double)NAN; }

cJSON *gs_roofline_to_json(const gs_roofline *roofline) {
  char key[KEY_BYTES];
  gs_json_writer w = gs_json_writer_object();
  for (int i = 0; i < DTYPES; i++) {
    const double rate = roofline->flops_per_s[dtypes_in_order[i]];
    gs_json_put_number(&w, rate_key(dtypes_in_order[i], key), rate_or_null(rate));
  }
  gs_json_put_number(&w, "copy_bytes_per_s", roofline->copy_bytes_per_s);
  gs_json_put_number(&w, "launch_ns", roofline->launch_ns);
  for (int i = 0; i < LATENCIES; i++) {
    gs_json_put_number(&w, latencies[i].key, rate_or_null(latency_of(roofline, &latencies[i])));
  }
  return gs_json_finish(&w);
}

/* A rate that is there, or 0 for null. */
static bool read_rate(const cJSON *tree, const char *key, double *rate) {
  const cJSON *item = gs_json_get(tree, key);
  *rate = cJSON_IsNumber(item) ? item->valuedouble : 0;
  return cJSON_IsNull(item) || (isfinite(*rate) && *rate > 0);
}

bool gs_roofline_from_json(const cJSON *tree, gs_roofline *roofline) {
  char key[KEY_BYTES];
  for (int i = 0; i < DTYPES; i++) {
    const gs_dtype dtype = dtypes_in_order[i];
    if (!read_rate(tree, rate_key(dtype, key), &roofline->flops_per_s[dtype])) return false;
  }
  for (int i = 0; i < LATENCIES; i++) {
    double ns;
    if (!read_rate(tree, latencies[i].key, &ns)) return false;
    memcpy((char *)roofline + latencies[i].offset, &ns, sizeof ns);
  }
  const cJSON *launch = gs_json_get(tree, "launch_ns");
  roofline->launch_ns = cJSON_IsNumber(launch) ? launch->valuedouble : NAN;
  return read_rate(tree, "copy_bytes_per_s", &roofline->copy_bytes_per_s) &&
         roofline->copy_bytes_per_s > 0 && roofline->flops_per_s[GS_F32] > 0 &&
         isfinite(roofline->launch_ns) && roofline->launch_ns >= 0;
}

/* ---- for people ---- */

static void print_text(FILE *stream, const char *heading, const cJSON *value) {
  if (cJSON_IsString(value)) (void)fprintf(stream, "%-11s%s\n", heading, value->valuestring);
}

static void print_number(FILE *stream, const char *heading, const cJSON *value) {
  if (!cJSON_IsNumber(value) || !(value->valuedouble > 0)) return;
  (void)fprintf(stream, "%-11s%.0f\n", heading, value->valuedouble);
}

/* What only a GPU has, or has more of than every processor. */
static void print_gpu(FILE *stream, const cJSON *device) {
  const char *separator = "";
  const cJSON *dtype = NULL;
  print_text(stream, "uuid", gs_json_get(device, "uuid"));
  print_text(stream, "pci", gs_json_get(device, "pci"));
  print_text(stream, "capability", gs_json_get(device, "capability"));
  print_number(stream, "processors", gs_json_get(device, "multiprocessors"));
  print_text(stream, "driver", gs_json_get(device, "driver"));
  (void)fprintf(stream, "%-11s", "dtypes");
  cJSON_ArrayForEach(dtype, gs_json_get(device, "dtypes")) {
    (void)fprintf(stream, "%s%s", separator, dtype->valuestring);
    separator = ", ";
  }
  (void)fprintf(stream, "\n%-11sgraphs: %s, persistent loops: %s\n", "has",
                cJSON_IsTrue(gs_json_get(device, "graphs")) ? "yes" : "no",
                cJSON_IsTrue(gs_json_get(device, "persistent")) ? "yes" : "no");
}

static void print_roofline(FILE *stream, const gs_roofline *roofline) {
  char text[GS_NUMBER_BYTES];
  (void)fprintf(stream, "%-11s", "limits");
  for (int i = 0; i < DTYPES; i++) {
    const gs_dtype dtype = dtypes_in_order[i];
    const double rate = roofline->flops_per_s[dtype];
    if (!(rate > 0)) continue;
    (void)fprintf(stream, "%s (%s), ", gs_text_rate(rate, "FLOP/s", text),
                  gs_name(&gs_dtype_names, dtype));
  }
  (void)fprintf(stream, "%s (copy), ", gs_text_rate(roofline->copy_bytes_per_s, "B/s", text));
  (void)fputs("measured now\n", stream);
}

/* Only what launches operations has any of these. */
static void print_latencies(FILE *stream, const gs_roofline *roofline) {
  if (!(roofline->launch_ns > 0)) return;
  (void)fprintf(stream, "%-11s", "latencies");
  for (int i = 0; i < LATENCIES; i++) {
    const double ns = latency_of(roofline, &latencies[i]);
    if (ns > 0) (void)fprintf(stream, "%.1f ns (%s), ", ns, latencies[i].label);
  }
  (void)fprintf(stream, "%.1f ns (graph node), measured now\n", roofline->launch_ns);
}

void gs_device_facts_print(FILE *stream, const cJSON *device, const gs_roofline *roofline) {
  char text[GS_NUMBER_BYTES];
  const cJSON *bytes = gs_json_get(device, "memory_bytes");
  print_text(stream, "backend", gs_json_get(device, "backend"));
  print_text(stream, "device", gs_json_get(device, "name"));
  if (gs_json_get(device, "multiprocessors")) print_gpu(stream, device);
  print_number(stream, "threads", gs_json_get(device, "threads"));
  (void)fprintf(stream, "%-11s%s for a cell\n", "memory",
                gs_text_bytes(cJSON_IsNumber(bytes) ? bytes->valuedouble : NAN, text));
  print_text(stream, "libraries", gs_json_get(device, "libraries"));
  print_roofline(stream, roofline);
  print_latencies(stream, roofline);
}
