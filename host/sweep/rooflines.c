/* The rooflines of a run. See rooflines.h. */
#include "sweep/rooflines.h"

#include <string.h>

#include "base/json_writer.h"
#include "sweep/device_facts.h"
#include "sweep/results.h"

cJSON *gs_rooflines_entry(cJSON *limits, double elapsed_s) {
  char date[GS_DATE_BYTES];
  gs_json_writer w = gs_json_writer_object();
  gs_json_put_string(&w, "date", gs_results_date(date));
  gs_json_put_number(&w, "elapsed_s", elapsed_s);
  gs_json_put(&w, "limits", limits);
  return gs_json_finish(&w);
}

/* Times are best when they are short, rates when they are high. */
static bool is_time(const char *key) {
  const size_t length = strlen(key);
  return length > 3 && strcmp(key + length - 3, "_ns") == 0;
}

/* Takes what is better in `next`; both have the keys of gs_roofline_to_json. */
static bool improve(cJSON *best, const cJSON *next) {
  const cJSON *item = NULL;
  cJSON_ArrayForEach(item, next) {
    cJSON *old = cJSON_GetObjectItemCaseSensitive(best, item->string);
    if (cJSON_IsObject(old) && cJSON_IsObject(item)) {
      if (!improve(old, item)) return false;
    } else if (cJSON_IsNumber(item) && cJSON_IsNumber(old)) {
      const bool better = is_time(item->string) ? item->valuedouble < old->valuedouble
                                                : item->valuedouble > old->valuedouble;
      if (better) cJSON_SetNumberHelper(old, item->valuedouble);
    } else if (!old || cJSON_IsNull(old)) {
      cJSON_DeleteItemFromObjectCaseSensitive(best, item->string);
      if (!gs_json_add(best, item->string, cJSON_Duplicate(item, true))) return false;
    }
  }
  return true;
}

gs_status gs_rooflines_add(gs_rooflines *rooflines, const cJSON *entry, gs_error *error) {
  gs_roofline limits;
  const cJSON *measured = gs_json_get(entry, "limits");
  if (!gs_roofline_from_json(measured, &limits) || !cJSON_IsString(gs_json_get(entry, "date")) ||
      !cJSON_IsNumber(gs_json_get(entry, "elapsed_s"))) {
    return GS_FAIL(error, GS_ERR_DATA, "not a measurement of the floor");
  }
  if (!rooflines->list) rooflines->list = cJSON_CreateArray();
  bool added = rooflines->list && gs_json_append(rooflines->list, cJSON_Duplicate(entry, true));
  if (added && !rooflines->best) {
    rooflines->best = cJSON_Duplicate(measured, true);
    added = rooflines->best != NULL;
  } else if (added) {
    added = improve(rooflines->best, measured);
  }
  return added ? GS_OK : GS_FAIL(error, GS_ERR_MEMORY, "no memory for the floor");
}

bool gs_rooflines_best(const gs_rooflines *rooflines, gs_roofline_best *best) {
  best->measurements = cJSON_GetArraySize(rooflines->list);
  return rooflines->best && gs_roofline_from_json(rooflines->best, &best->limits);
}

void gs_rooflines_clear(gs_rooflines *rooflines) {
  cJSON_Delete(rooflines->list);
  cJSON_Delete(rooflines->best);
  *rooflines = (gs_rooflines){0};
}
