/* The tables that the program believes records by say what results/schema.json says, in
 * every member, type, name and range. */
#include "support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "sweep/record_shape.h"

static cJSON *schema;

static const cJSON *get(const cJSON *object, const char *key) {
  return cJSON_GetObjectItemCaseSensitive(object, key);
}

static int read_schema(void **state) {
  (void)state;
  char path[4096];
  gs_error error;
  const char *root = getenv("GRADSWEEP_SOURCE_DIR");
  snprintf(path, sizeof path, "%s/results/schema.json", root ? root : "..");
  return gs_json_read_file(path, GS_JSON_MAX_INPUT_BYTES, &schema, &error) == GS_OK ? 0 : -1;
}

static int free_schema(void **state) {
  (void)state;
  cJSON_Delete(schema);
  return 0;
}

static const cJSON *definition(const char *name) {
  const cJSON *node = get(get(schema, "$defs"), name);
  assert_non_null(node);
  return node;
}

static const cJSON *resolved(const cJSON *node) {
  const char *reference = cJSON_GetStringValue(get(node, "$ref"));
  return reference ? definition(strrchr(reference, '/') + 1) : node;
}

static bool lists(const cJSON *list, const char *word) {
  const cJSON *item = NULL;
  cJSON_ArrayForEach(item, list) {
    if (cJSON_IsString(item) && strcmp(item->valuestring, word) == 0) return true;
  }
  return false;
}

static bool has_type(const cJSON *node, const char *type) {
  const cJSON *types = get(node, "type");
  return cJSON_IsString(types) ? strcmp(types->valuestring, type) == 0 : lists(types, type);
}

static bool has_null(const cJSON *node) {
  const cJSON *item = NULL;
  cJSON_ArrayForEach(item, get(node, "enum")) {
    if (cJSON_IsNull(item)) return true;
  }
  return has_type(node, "null");
}

/* Members that only one of the two has, for the reasons that record_shape.h gives. */
static bool is_elsewhere(const char *path, const char *key) {
  static const char *const of_records[] = {"id", "name", "params"};
  static const char *const of_floors[] = {"fraction_of_flops",
                                          "fraction_of_copy",
                                          "fraction_of_barriers",
                                          "fraction_of_launches",
                                          "floor_ns",
                                          "fraction_of_floor",
                                          "floor",
                                          "floor_measurements"};
  for (size_t i = 0; strcmp(path, "cell") == 0 && i < 3; i++) {
    if (strcmp(key, of_records[i]) == 0) return true;
  }
  for (size_t i = 0; strcmp(path, "cell.timing") == 0 && i < 8; i++) {
    if (strcmp(key, of_floors[i]) == 0) return true;
  }
  return false;
}

/* "kept" and "histogram" come with stats: full alone, where they must. */
static bool is_full(const char *key) {
  return strcmp(key, "kept") == 0 || strcmp(key, "histogram") == 0;
}

static void compare(const gs_json_shape *shape, const cJSON *node, const char *path, bool full);

static const gs_shape_field *field_of(const gs_json_shape *shape, const char *key) {
  const gs_shape_field *field = shape->fields;
  while (field->name && strcmp(field->name, key) != 0) field++;
  return field->name ? field : NULL;
}

static void compare_member(const gs_json_shape *shape, const char *key, const cJSON *node,
                           bool required, const char *path, bool full) {
  char inner[256];
  const gs_shape_field *field = field_of(shape, key);
  if (is_elsewhere(path, key) || (is_full(key) && !full)) {
    assert_null(field);
    return;
  }
  snprintf(inner, sizeof inner, "%s.%s", path, key);
  if (!field) fail_msg("%s is in the schema, but not in the table", inner);
  if (field->optional == (required || is_full(key))) fail_msg("%s: required or not", inner);
  compare(field->shape, resolved(node), inner, full);
}

static void compare_object(const gs_json_shape *shape, const cJSON *node, const char *path,
                           bool full) {
  const cJSON *item = NULL;
  const cJSON *names = get(get(node, "propertyNames"), "enum");
  const cJSON *required = get(node, "required");
  int members = 0;
  cJSON_ArrayForEach(item, names) {
    compare_member(shape, item->valuestring, get(node, "additionalProperties"),
                   lists(required, item->valuestring), path, full);
    members++;
  }
  if (!names) assert_true(cJSON_IsFalse(get(node, "additionalProperties")));
  cJSON_ArrayForEach(item, get(node, "properties")) {
    compare_member(shape, item->string, item, lists(required, item->string), path, full);
    members += !is_elsewhere(path, item->string) && !(is_full(item->string) && !full);
  }
  for (const gs_shape_field *field = shape->fields; field->name; field++) members--;
  if (members != 0) fail_msg("%s: the table has members that the schema lacks", path);
}

static double limit(const cJSON *node, const char *key, double otherwise) {
  const cJSON *item = get(node, key);
  return cJSON_IsNumber(item) ? item->valuedouble : otherwise;
}

static void compare_number(const gs_json_shape *shape, const cJSON *node, const char *path) {
  const cJSON *values = get(node, "enum"); /* signs: -1, 0, 1, null */
  const bool integer = shape->kind == GS_SHAPE_INTEGER;
  const double above = limit(node, "exclusiveMinimum", NAN);
  const bool exclusive = !isnan(above);
  const double min = exclusive ? above : limit(node, "minimum", values ? -1 : -INFINITY);
  const double max = limit(node, "maximum", values ? 1 : limit(node, "exclusiveMaximum", INFINITY));
  const bool kind = values ? cJSON_GetArraySize(values) == 4 && integer
                           : has_type(node, integer ? "integer" : "number");
  if (!kind || shape->min != min || shape->max != max || shape->above != exclusive) {
    fail_msg("%s: another kind or range of number", path);
  }
  if (shape->not_minus_one != (get(node, "not") != NULL)) fail_msg("%s: -1", path);
}

static void compare_text(const gs_json_shape *shape, const cJSON *node, const char *path) {
  const cJSON *values = get(node, "enum");
  const char *pattern = cJSON_GetStringValue(get(node, "pattern"));
  const bool hex = pattern && strcmp(pattern, "^[0-9a-f]{16}$") == 0;
  if (!values && !has_type(node, "string")) fail_msg("%s: is no text", path);
  if ((shape->hex_digits == 16) != hex) fail_msg("%s: digits", path);
  if ((shape->names != NULL) != (values != NULL)) fail_msg("%s: names or any text", path);
  int names = 0;
  for (; values && shape->names->list[names]; names++) {
    if (!lists(values, shape->names->list[names])) {
      fail_msg("%s: %s is no name of the schema", path, shape->names->list[names]);
    }
  }
  if (names + (values && has_null(node)) != cJSON_GetArraySize(values)) {
    fail_msg("%s: the schema has names that the table lacks", path);
  }
}

static void compare(const gs_json_shape *shape, const cJSON *node, const char *path, bool full) {
  if (shape->null != has_null(node)) fail_msg("%s: null or not", path);
  switch (shape->kind) {
  case GS_SHAPE_OBJECT:
    if (!has_type(node, "object")) fail_msg("%s: is no object", path);
    compare_object(shape, node, path, full);
    return;
  case GS_SHAPE_LIST:
    if (!has_type(node, "array")) fail_msg("%s: is no list", path);
    assert_true((double)shape->fewest == limit(node, "minItems", 0));
    assert_int_equal(shape->unique, cJSON_IsTrue(get(node, "uniqueItems")));
    compare(shape->each, resolved(get(node, "items")), path, full);
    return;
  case GS_SHAPE_NUMBER:
  case GS_SHAPE_INTEGER: compare_number(shape, node, path); return;
  case GS_SHAPE_BOOLEAN: assert_true(has_type(node, "boolean")); return;
  case GS_SHAPE_TEXT: compare_text(shape, node, path); return;
  }
}

static void records_are_those_of_the_schema(void **state) {
  (void)state;
  compare(gs_record_shape(GS_STATS_FULL), definition("cell"), "cell", true);
  compare(gs_record_shape(GS_STATS_NORMS), definition("cell"), "cell", false);
}

static void so_are_rooflines_and_devices(void **state) {
  (void)state;
  compare(&gs_roofline_shape, definition("floor"), "floor", false);
  compare(&gs_device_shape, definition("device"), "device", false);
}

/* gs_record_field counts rows. */
static void every_field_has_its_place(void **state) {
  (void)state;
  const gs_shape_field *fields = gs_record_shape(GS_STATS_FULL)->fields;
  assert_string_equal(fields[GS_RECORD_STATUS].name, "status");
  assert_string_equal(fields[GS_RECORD_ERROR].name, "error");
  assert_string_equal(fields[GS_RECORD_WEIGHTS_HASH].name, "weights_hash");
  assert_string_equal(fields[GS_RECORD_AGREEMENT].name, "agreement");
  assert_string_equal(fields[GS_RECORD_DIGEST].name, "digest");
  assert_string_equal(fields[GS_RECORD_TIMING].name, "timing");
  assert_null(fields[GS_RECORD_FIELDS].name);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(records_are_those_of_the_schema),
      cmocka_unit_test(so_are_rooflines_and_devices),
      cmocka_unit_test(every_field_has_its_place),
  };
  return cmocka_run_group_tests(tests, read_schema, free_schema);
}
