/* The starts of a side. See side.h. */
#include "compare/side.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "sweep/files.h"
#include "sweep/journal.h"

static gs_status no_memory(gs_error *error) {
  return GS_FAIL(error, GS_ERR_MEMORY, "no memory for the runs");
}

static bool is_folder(const char *path) {
  struct stat about;
  return stat(path, &about) == 0 && S_ISDIR(about.st_mode);
}

/* Whether the folder holds a results.json, whose path this is. */
static bool has_results(const char *folder, char path[GS_PATH_BYTES]) {
  struct stat about;
  return gs_path_join(path, folder, GS_RESULTS_NAME, NULL) == GS_OK && stat(path, &about) == 0;
}

static gs_status add_start(gs_side *side, const char *path, gs_error *error) {
  gs_start *more = realloc(side->starts, (size_t)(side->count + 1) * sizeof *more);
  if (!more) return no_memory(error);
  side->starts = more;
  memset(&side->starts[side->count], 0, sizeof *more);
  return gs_start_read(path, &side->starts[side->count++], error);
}

static int no_dots(const struct dirent *entry) { return entry->d_name[0] != '.'; }

static gs_status add_folders(gs_side *side, const char *folder, gs_error *error) {
  struct dirent **entries = NULL;
  const int count = scandir(folder, &entries, no_dots, alphasort);
  gs_status status = GS_OK;
  if (count < 0) return GS_FAIL(error, GS_ERR_DATA, "%s: cannot be read", folder);
  for (int i = 0; i < count; i++) {
    char inner[GS_PATH_BYTES];
    char path[GS_PATH_BYTES];
    const bool fits = gs_path_join(inner, folder, entries[i]->d_name, NULL) == GS_OK;
    free(entries[i]);
    if (status != GS_OK || !fits || !has_results(inner, path)) continue;
    status = add_start(side, path, error);
  }
  free(entries);
  if (status != GS_OK || side->count > 0) return status;
  return GS_FAIL(error, GS_ERR_DATA, "%s: no %s in it, nor in a folder in it", folder,
                 GS_RESULTS_NAME);
}

gs_status gs_side_read(const char *path, gs_side *side, gs_error *error) {
  char inner[GS_PATH_BYTES];
  memset(side, 0, sizeof *side);
  side->path = strdup(path);
  if (!side->path) return no_memory(error);
  if (!is_folder(path)) return add_start(side, path, error);
  if (has_results(path, inner)) return add_start(side, inner, error);
  return add_folders(side, path, error);
}

void gs_side_clear(gs_side *side) {
  for (int i = 0; i < side->count; i++) gs_start_clear(&side->starts[i]);
  free(side->starts);
  free(side->path);
  memset(side, 0, sizeof *side);
}
