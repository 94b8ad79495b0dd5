/* The floors of a run. See floors.h. */
#include "sweep/floors.h"

#include <string.h>

#include "sweep/device_facts.h"
#include "sweep/results.h"

cJSON *gs_floors_entry(cJSON *limits, double elapsed_s) {
  char date[GS_DATE_BYTES];
  cJSON *entry = cJSON_CreateObject();
  if (!entry || !gs_json_add_string(entry, "date", gs_results_date(date)) ||
      !gs_json_add_number(entry, "elapsed_s", elapsed_s)) {
    cJSON_Delete(limits);
    cJSON_Delete(entry);
    return NULL;
  }
  if (gs_json_add(entry, "limits", limits)) return entry;
  cJSON_Delete(entry);
  return NULL;
}

/* Times are best when they are short, rates when they are high. */
static bool is_time(const char *key) {
  const size_t length = strlen(key);
  return length > 3 && strcmp(key + length - 3, "_ns") == 0;
}

/* Takes what is better in `next`; both have the keys of gs_floor_to_json. */
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

gs_status gs_floors_add(gs_floors *floors, const cJSON *entry, gs_error *error) {
  gs_floor limits;
  const cJSON *measured = gs_json_get(entry, "limits");
  if (!gs_floor_from_json(measured, &limits) || !cJSON_IsString(gs_json_get(entry, "date")) ||
      !cJSON_IsNumber(gs_json_get(entry, "elapsed_s"))) {
    return GS_FAIL(error, GS_ERR_DATA, "not a measurement of the floor");
  }
  if (!floors->list) floors->list = cJSON_CreateArray();
  bool added = floors->list && gs_json_append(floors->list, cJSON_Duplicate(entry, true));
  if (added && !floors->best) {
    floors->best = cJSON_Duplicate(measured, true);
    added = floors->best != NULL;
  } else if (added) {
    added = improve(floors->best, measured);
  }
  return added ? GS_OK : GS_FAIL(error, GS_ERR_MEMORY, "no memory for the floor");
}

bool gs_floors_best(const gs_floors *floors, gs_floor_best *best) {
  best->measurements = cJSON_GetArraySize(floors->list);
  return floors->best && gs_floor_from_json(floors->best, &best->limits);
}

void gs_floors_clear(gs_floors *floors) {
  cJSON_Delete(floors->list);
  cJSON_Delete(floors->best);
  *floors = (gs_floors){0};
}
