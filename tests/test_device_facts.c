/* Facts about devices: what is written of a CPU and of a GPU, what makes two
 * devices the same, floors there and back, and the lines people see. */
#include "support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support_fake_gpu.h"
#include "sweep/device_facts.h"

static int open_cpu(void **state) {
  gs_error error = {0};
  gs_support_ok(gs_cpu_device_create(2, (gs_device **)state, &error), &error);
  return 0;
}

static cJSON *facts_of(gs_device *device) {
  cJSON *facts = gs_device_facts(device);
  assert_non_null(facts);
  return facts;
}

static const char *text(const cJSON *facts, const char *key) {
  const char *value = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(facts, key));
  if (!value) fail_msg("there is no text %s", key);
  return value;
}

static void a_cpu_has_no_facts_of_a_gpu(void **state) {
  cJSON *facts = facts_of(*state);
  static const char *const absent[] = {"uuid", "pci", "capability", "driver", "multiprocessors"};
  for (size_t i = 0; i < 5; i++) assert_false(cJSON_HasObjectItem(facts, absent[i]));
  assert_string_equal(text(facts, "backend"), "cpu");
  assert_true(cJSON_IsFalse(cJSON_GetObjectItem(facts, "graphs")));
  assert_true(cJSON_IsFalse(cJSON_GetObjectItem(facts, "persistent")));
  char *dtypes = gs_json_print_line(cJSON_GetObjectItem(facts, "dtypes"));
  assert_string_equal(dtypes, "[\"f32\",\"f64\"]");
  free(dtypes);
  cJSON_Delete(facts);
}

static void a_gpu_has_them_all(void **state) {
  (void)state;
  gs_fake_gpu *gpu = gs_support_fake_gpu();
  gpu->info.dtypes = 1u << GS_F32 | 1u << GS_BF16;
  cJSON *facts = facts_of(&gpu->base);
  char *line = gs_json_print_line(facts);
  assert_string_equal(
      line, "{\"backend\":\"cuda\",\"name\":\"Pretender 100\","
            "\"uuid\":\"GPU-01234567-89ab-cdef-0123-456789abcdef\",\"pci\":\"0000:1b:00.0\","
            "\"capability\":\"9.0\",\"multiprocessors\":132,\"driver\":\"580.65.06\",\"threads\":0,"
            "\"memory_bytes\":1073741824,\"dtypes\":[\"f32\",\"bf16\"],\"graphs\":true,"
            "\"persistent\":true,\"libraries\":\"none 1.2.3\"}");
  free(line);
  cJSON_Delete(facts);
  gpu->base.ops->destroy(&gpu->base);
}

/* Which device it is, and what drives it, counts; how much memory is free or in
 * which slot it sits does not. */
static void same_devices(void **state) {
  gs_fake_gpu *gpu = gs_support_fake_gpu();
  const gs_device_info usual = gpu->info;
  cJSON *one = facts_of(&gpu->base);
  cJSON *cpu = facts_of(*state);
  assert_true(gs_device_facts_same(one, one));
  assert_true(gs_device_facts_same(cpu, cpu));
  assert_false(gs_device_facts_same(one, cpu));
  assert_false(gs_device_facts_same(cpu, one));
  assert_false(gs_device_facts_same(one, NULL));
  enum { CHANGES = 8, THAT_COUNT = 6 };
  for (int i = 0; i < CHANGES; i++) {
    gs_device_info *info = &gpu->info;
    char *const texts[] = {info->uuid, info->driver, info->libraries, info->name,
                           NULL,       info->uuid,   info->pci,       NULL};
    *info = usual;
    if (texts[i]) strcpy(texts[i], i == 5 ? "" : "else"); /* 5: it is not known any more */
    if (i == 4) info->threads = 1;
    if (i == 7) info->memory_bytes /= 2;
    cJSON *other = facts_of(&gpu->base);
    assert_int_equal(gs_device_facts_same(one, other), i >= THAT_COUNT);
    assert_int_equal(gs_device_facts_same(other, one), i >= THAT_COUNT);
    cJSON_Delete(other);
  }
  cJSON_Delete(one);
  cJSON_Delete(cpu);
  gpu->base.ops->destroy(&gpu->base);
}

static bool has_key(const cJSON *object, const char *key) {
  return cJSON_GetObjectItemCaseSensitive(object, key) != NULL;
}

/* What files have says nothing of which GPU it was, unless it is wanted. */
static void public_facts(void **state) {
  (void)state;
  gs_fake_gpu *gpu = gs_support_fake_gpu();
  cJSON *facts = facts_of(&gpu->base);
  for (int identify = 0; identify < 2; identify++) {
    cJSON *public_ones = gs_device_facts_public(facts, identify);
    assert_non_null(public_ones);
    assert_int_equal(has_key(public_ones, "uuid"), identify);
    assert_int_equal(has_key(public_ones, "pci"), identify);
    assert_int_equal(cJSON_GetArraySize(public_ones),
                     cJSON_GetArraySize(facts) - (identify ? 0 : 2));
    assert_true(cJSON_Compare(facts, public_ones, true) == identify);
    cJSON_Delete(public_ones);
  }
  cJSON_Delete(facts);
  gpu->base.ops->destroy(&gpu->base);
}

static void a_device_is_known_again(void **state) {
  gs_fake_gpu *gpu = gs_support_fake_gpu();
  cJSON *facts = facts_of(&gpu->base);
  cJSON *cpu = facts_of(*state);
  cJSON *token = gs_device_token(facts);
  cJSON *another_salt = gs_device_token(facts);
  cJSON *of_cpu = gs_device_token(cpu);
  assert_true(cJSON_IsNull(of_cpu));
  assert_false(cJSON_Compare(token, another_salt, true));
  char *line = gs_json_print_line(token);
  assert_null(strstr(line, "0123456789ab")); /* neither the whole nor a part of it */
  assert_null(strstr(line, "GPU"));
  free(line);
  for (int identify = 0; identify < 2; identify++) {
    cJSON *recorded = gs_device_facts_public(facts, identify);
    assert_true(gs_device_facts_again(recorded, token, facts));
    assert_true(gs_device_facts_again(recorded, another_salt, facts));
    assert_false(gs_device_facts_again(recorded, NULL, facts));
    assert_false(gs_device_facts_again(recorded, of_cpu, facts));
    assert_false(gs_device_facts_again(recorded, token, cpu));
    gs_device_info usual = gpu->info;
    for (int i = 0; i < 4; i++) {
      gpu->info = usual;
      if (i == 0) gpu->info.uuid[5]++;
      if (i == 1) gpu->info.uuid[0] = '\0';
      if (i == 2) strcpy(gpu->info.driver, "else");
      if (i == 3) strcpy(gpu->info.pci, "0000:ff:00.0"); /* it may sit in another slot */
      cJSON *other = facts_of(&gpu->base);
      assert_int_equal(gs_device_facts_again(recorded, token, other), i == 3);
      cJSON_Delete(other);
    }
    gpu->info = usual;
    cJSON_Delete(recorded);
  }
  assert_true(gs_device_facts_again(cpu, of_cpu, cpu));
  assert_true(gs_device_facts_again(cpu, NULL, cpu));
  assert_false(gs_device_facts_again(cpu, token, cpu));
  cJSON_Delete(token);
  cJSON_Delete(another_salt);
  cJSON_Delete(of_cpu);
  cJSON_Delete(facts);
  cJSON_Delete(cpu);
  gpu->base.ops->destroy(&gpu->base);
}

/* ---- floors ---- */

static void rooflines_come_back(void **state) {
  (void)state;
  gs_roofline roofline = {.flops_per_s = {[GS_F32] = 3.3e13, [GS_BF16] = 7e14 / 3},
                          .copy_bytes_per_s = 3.1e12,
                          .launch_ns = 1234.5,
                          .block_barrier_ns = 12.5,
                          .grid_barrier_ns = 1100};
  for (int i = 0; i < 3; i++) {
    gs_roofline back;
    memset(&back, 0xff, sizeof back);
    if (i == 1) roofline.flops_per_s[GS_F64] = 6e13;
    if (i == 2) roofline.launch_ns = 0;
    if (i == 2) roofline.cluster_hop_ns = 110, roofline.cluster_barrier_ns = 190;
    cJSON *tree = gs_roofline_to_json(&roofline);
    assert_int_equal(cJSON_GetArraySize(tree), 11);
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(tree, "flops_per_s_tf32")));
    assert_int_equal(cJSON_IsNull(cJSON_GetObjectItem(tree, "flops_per_s_f64")), i == 0);
    assert_int_equal(cJSON_IsNull(cJSON_GetObjectItem(tree, "cluster_hop_ns")), i < 2);
    assert_true(gs_roofline_from_json(tree, &back));
    for (int d = 0; d < GS_DTYPE_COUNT; d++) {
      assert_true(back.flops_per_s[d] == roofline.flops_per_s[d]);
    }
    assert_true(back.copy_bytes_per_s == roofline.copy_bytes_per_s);
    assert_true(back.launch_ns == roofline.launch_ns);
    assert_true(back.block_barrier_ns == roofline.block_barrier_ns);
    assert_true(back.cluster_hop_ns == roofline.cluster_hop_ns);
    assert_true(back.cluster_barrier_ns == roofline.cluster_barrier_ns);
    assert_true(back.grid_barrier_ns == roofline.grid_barrier_ns);
    cJSON_Delete(tree);
  }
}

static void what_is_no_roofline(void **state) {
  (void)state;
  static const struct {
    const char *key;
    double value; /* NAN: null */
  } changes[] = {{"flops_per_s_f32", (double)NAN}, {"copy_bytes_per_s", (double)NAN},
                 {"launch_ns", (double)NAN},       {"flops_per_s_f32", 0},
                 {"flops_per_s_bf16", 0},          {"flops_per_s_f64", -1},
                 {"copy_bytes_per_s", 0},          {"launch_ns", -1},
                 {"block_barrier_ns", 0},          {"cluster_hop_ns", -1},
                 {"cluster_barrier_ns", 0},        {"grid_barrier_ns", -1}};
  const gs_roofline roofline = {.flops_per_s = {[GS_F32] = 1}, .copy_bytes_per_s = 1};
  gs_roofline back;
  for (size_t i = 0; i < 2 * sizeof changes / sizeof *changes; i++) {
    cJSON *tree = gs_roofline_to_json(&roofline);
    const char *key = changes[i / 2].key;
    assert_true(gs_roofline_from_json(tree, &back));
    cJSON_DeleteItemFromObject(tree, key); /* once away for good, once replaced */
    if (i % 2) assert_true(gs_json_add(tree, key, gs_json_number(changes[i / 2].value)));
    if (gs_roofline_from_json(tree, &back)) fail_msg("%s, change %zu", key, i);
    cJSON_Delete(tree);
  }
  assert_false(gs_roofline_from_json(NULL, &back));
}

/* ---- lines ---- */

static char *printed(gs_device *device, const gs_roofline *roofline) {
  char *text = NULL;
  size_t length = 0;
  FILE *stream = open_memstream(&text, &length);
  assert_non_null(stream);
  cJSON *facts = facts_of(device);
  gs_device_facts_print(stream, facts, roofline);
  cJSON_Delete(facts);
  assert_int_equal(fclose(stream), 0);
  return text;
}

static void a_gpu_in_lines(void **state) {
  (void)state;
  gs_fake_gpu *gpu = gs_support_fake_gpu();
  gpu->roofline.flops_per_s[GS_F16] = 0;
  char *text = printed(&gpu->base, &gpu->roofline);
  assert_string_equal(text,
                      "backend    cuda\n"
                      "device     Pretender 100\n"
                      "uuid       GPU-01234567-89ab-cdef-0123-456789abcdef\n"
                      "pci        0000:1b:00.0\n"
                      "capability 9.0\n"
                      "processors 132\n"
                      "driver     580.65.06\n"
                      "dtypes     f32, f64, tf32, bf16, f16\n"
                      "has        graphs: yes, persistent loops: yes\n"
                      "memory     1.00 GiB for a cell\n"
                      "libraries  none 1.2.3\n"
                      "limits     2.00 TFLOP/s (f32), 1.00 TFLOP/s (f64), 4.00 TFLOP/s (tf32), "
                      "8.00 TFLOP/s (bf16), 1.00 TB/s (copy), measured now\n"
                      "latencies  12.5 ns (block barrier), 110.0 ns (cluster hop), "
                      "190.0 ns (cluster barrier), 1100.0 ns (grid barrier), "
                      "1300.0 ns (graph node), measured now\n");
  free(text);
  gpu->roofline.cluster_hop_ns = gpu->roofline.cluster_barrier_ns = 0; /* before capability 9.0 */
  text = printed(&gpu->base, &gpu->roofline);
  assert_non_null(strstr(text, "\nlatencies  12.5 ns (block barrier), 1100.0 ns (grid barrier), "
                               "1300.0 ns (graph node), measured now\n"));
  free(text);
  gpu->base.ops->destroy(&gpu->base);
}

static void a_cpu_in_lines(void **state) {
  const gs_roofline roofline = {.flops_per_s = {[GS_F32] = 2e11, [GS_F64] = 1e11},
                                .copy_bytes_per_s = 3e10};
  char *text = printed(*state, &roofline);
  int lines = 0;
  for (const char *at = text; *at; at++) lines += *at == '\n';
  assert_int_equal(lines, 6);
  assert_non_null(strstr(text, "backend    cpu\ndevice     "));
  assert_non_null(strstr(text, "\nthreads    2\nmemory     "));
  assert_non_null(strstr(text, "\nlimits     200 GFLOP/s (f32), 100 GFLOP/s (f64), 30.0 GB/s "
                               "(copy), measured now\n"));
  free(text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_cpu_has_no_facts_of_a_gpu),
      cmocka_unit_test(a_gpu_has_them_all),
      cmocka_unit_test(same_devices),
      cmocka_unit_test(public_facts),
      cmocka_unit_test(a_device_is_known_again),
      cmocka_unit_test(rooflines_come_back),
      cmocka_unit_test(what_is_no_roofline),
      cmocka_unit_test(a_gpu_in_lines),
      cmocka_unit_test(a_cpu_in_lines),
  };
  return cmocka_run_group_tests(tests, open_cpu, gs_support_close_device);
}
