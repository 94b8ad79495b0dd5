/* A walk over the tree, without recursion, for what is easier seen there:
 * duplicate keys (compared after their escapes) and numbers that became
 * infinite. */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/json_check.h"
#include "base/printable.h"

enum { PATH_BYTES = 256, KEY_CHARACTERS = 60 };

/* The way from the root to the item at hand. */
typedef struct walk {
  const cJSON *item[GS_JSON_MAX_DEPTH + 1];
  size_t index[GS_JSON_MAX_DEPTH + 1]; /* of item[i] in its parent */
  int depth;
} walk;

typedef struct path {
  char text[PATH_BYTES];
  size_t length;
} path;

static void path_add(path *p, const char *text, size_t bytes) {
  const size_t room = sizeof p->text - 1 - p->length;
  const size_t taken = bytes < room ? bytes : room;
  memcpy(p->text + p->length, text, taken);
  p->length += taken;
  p->text[p->length] = '\0';
}

static bool is_plain_key(const char *key) {
  return *key != '\0' && key[strspn(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                         "0123456789_-")] == '\0';
}

/* ".key", or ["any key"] on one line and cut to a readable length. */
static void path_add_key(path *p, const char *key) {
  if (is_plain_key(key) && strlen(key) <= KEY_CHARACTERS) {
    path_add(p, ".", 1);
    path_add(p, key, strlen(key));
    return;
  }
  char printable[KEY_CHARACTERS + 1];
  gs_printable(key, printable, sizeof printable);
  path_add(p, "[\"", 2);
  path_add(p, printable, strlen(printable));
  path_add(p, strlen(key) > KEY_CHARACTERS ? "...\"]" : "\"]",
           strlen(key) > KEY_CHARACTERS ? 5 : 2);
}

static path path_of(const walk *w) {
  path p = {.text = "$", .length = 1};
  for (int level = 1; level <= w->depth; level++) {
    if (cJSON_IsObject(w->item[level - 1])) {
      path_add_key(&p, w->item[level]->string);
    } else {
      char index[32];
      const int bytes = snprintf(index, sizeof index, "[%zu]", w->index[level]);
      path_add(&p, index, (size_t)bytes);
    }
  }
  return p;
}

static int compare_keys(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static gs_status check_keys(const walk *w, const char *origin, gs_error *error) {
  const cJSON *object = w->item[w->depth];
  const cJSON *item;
  size_t count = 0;
  cJSON_ArrayForEach(item, object) count++;
  if (count < 2) return GS_OK;
  const char **keys = malloc(count * sizeof *keys);
  if (!keys) return GS_FAIL(error, GS_ERR_MEMORY, "%s: out of memory", origin);
  size_t filled = 0;
  cJSON_ArrayForEach(item, object) keys[filled++] = item->string;
  qsort(keys, count, sizeof *keys, compare_keys);
  const char *twice = NULL;
  for (size_t i = 1; i < count && !twice; i++) {
    if (strcmp(keys[i - 1], keys[i]) == 0) twice = keys[i];
  }
  free(keys);
  if (!twice) return GS_OK;
  path p = path_of(w);
  path_add_key(&p, twice);
  return GS_FAIL(error, GS_ERR_DATA, "%s: %s: duplicate key", origin, p.text);
}

static gs_status check_item(const walk *w, const char *origin, gs_error *error) {
  const cJSON *item = w->item[w->depth];
  if (cJSON_IsObject(item)) return check_keys(w, origin, error);
  if (!cJSON_IsNumber(item) || isfinite(item->valuedouble)) return GS_OK;
  const path p = path_of(w);
  return GS_FAIL(error, GS_ERR_DATA, "%s: %s: number outside the range of a double", origin,
                 p.text);
}

/* To the next item, parents first. False after the last. */
static bool step(walk *w) {
  const cJSON *child = w->item[w->depth]->child;
  if (child) {
    w->depth++;
    w->item[w->depth] = child;
    w->index[w->depth] = 0;
    return true;
  }
  for (; w->depth > 0; w->depth--) {
    const cJSON *next = w->item[w->depth]->next;
    if (!next) continue;
    w->item[w->depth] = next;
    w->index[w->depth]++;
    return true;
  }
  return false;
}

gs_status gs_json_check_tree(const cJSON *root, const char *origin, gs_error *error) {
  walk w = {.item = {root}};
  do {
    GS_TRY(check_item(&w, origin, error));
  } while (step(&w));
  return GS_OK;
}
