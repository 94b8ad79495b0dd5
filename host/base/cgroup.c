/* Limits of control groups. See cgroup.h; the files are those of the kernel's
 * documentation: admin-guide/cgroup-v2.rst (cpu.max, memory.max, memory.high,
 * memory.current, memory.stat) and cgroup-v1 (cpu.cfs_quota_us, cpu.cfs_period_us,
 * memory.limit_in_bytes, memory.usage_in_bytes, memory.stat). */
#include "base/cgroup.h"

#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROOT_BYTES = 256 };

/* A hierarchy as it is mounted: `top` of it is seen at `point`. */
typedef struct mount {
  char top[PATH_MAX];
  char point[PATH_MAX];
} mount;

/* The process's group in a hierarchy. */
typedef struct membership {
  bool unified;              /* version 2 */
  size_t point;              /* bytes of the mount point, with which the folder begins */
  char folder[2 * PATH_MAX]; /* empty: it is in none */
} membership;

/* A controller is in one of the two versions; the other has no such files. */
struct gs_cgroups {
  char root[ROOT_BYTES];
  membership cpu[2];
  membership memory[2];
};

/* ---- reading files ---- */

static FILE *open_at(const char *root, const char *folder, const char *name) {
  char path[2 * PATH_MAX];
  const int length = snprintf(path, sizeof path, "%s%s%s", root, folder, name);
  return length > 0 && (size_t)length < sizeof path ? fopen(path, "re") : NULL;
}

/* The first number of a file; `otherwise` when there is none ("max", no file). */
static double read_number(const char *root, const char *folder, const char *name,
                          double otherwise) {
  double value = otherwise;
  FILE *stream = open_at(root, folder, name);
  if (stream && fscanf(stream, "%lf", &value) != 1) value = otherwise;
  if (stream) fclose(stream);
  return isfinite(value) ? value : otherwise;
}

/* The number behind a key of a file of "key value" lines; 0 when it is not there. */
static double read_key(const char *root, const char *folder, const char *name, const char *key) {
  char word[64];
  double value = 0;
  double found = 0;
  FILE *stream = open_at(root, folder, name);
  while (stream && fscanf(stream, "%63s %lf", word, &value) == 2) {
    if (strcmp(word, key) == 0 && value > 0) found = value;
  }
  if (stream) fclose(stream);
  return found;
}

/* ---- where the groups are ---- */

/* Whether a comma-separated list has the word. */
static bool lists(const char *list, const char *word) {
  const size_t length = strlen(word);
  for (const char *at = list; at; at = strchr(at, ',')) {
    at += *at == ',';
    if (strncmp(at, word, length) == 0 && (at[length] == ',' || at[length] == '\0')) return true;
  }
  return false;
}

/* The kernel writes blanks and backslashes in paths as three octal digits. */
static void unescape(char *path) {
  char *to = path;
  for (const char *from = path; *from; to++) {
    unsigned byte = 0;
    int digits = 0;
    if (*from == '\\' && sscanf(from + 1, "%3o%n", &byte, &digits) == 1 && digits == 3) {
      *to = (char)byte;
      from += 4;
    } else {
      *to = *from++;
    }
  }
  *to = '\0';
}

/* One line of mountinfo (proc(5)): "36 35 0:32 TOP POINT rw,.. - TYPE SOURCE OPTIONS". */
static bool read_mount(char *line, const char *controller, bool unified, mount *found) {
  char type[32];
  char options[PATH_MAX];
  const char *dash = strstr(line, " - ");
  line[strcspn(line, "\n")] = '\0';
  if (!dash || sscanf(dash, " - %31s %*s %4095s", type, options) != 2) return false;
  if (strcmp(type, unified ? "cgroup2" : "cgroup") != 0) return false;
  if (!unified && !lists(options, controller)) return false;
  if (sscanf(line, "%*s %*s %*s %4095s %4095s", found->top, found->point) != 2) return false;
  unescape(found->top);
  unescape(found->point);
  return true;
}

static bool find_mount(const char *root, const char *controller, bool unified, mount *found) {
  char *line = NULL;
  size_t capacity = 0;
  bool there = false;
  FILE *stream = open_at(root, "/proc/self/", "mountinfo");
  while (stream && !there && getline(&line, &capacity, stream) > 0) {
    there = read_mount(line, controller, unified, found);
  }
  free(line);
  if (stream) fclose(stream);
  return there;
}

/* The process's group in the hierarchy, from a line "4:memory:/path" or "0::/path". */
static bool read_group(char *line, const char *controller, bool unified, char path[PATH_MAX]) {
  line[strcspn(line, "\n")] = '\0';
  char *controllers = strchr(line, ':');
  char *group = controllers ? strchr(controllers + 1, ':') : NULL;
  if (!group) return false;
  *group++ = '\0';
  controllers++;
  if (unified ? *controllers != '\0' : !lists(controllers, controller)) return false;
  return snprintf(path, PATH_MAX, "%s", group) < PATH_MAX;
}

static bool find_group(const char *root, const char *controller, bool unified,
                       char path[PATH_MAX]) {
  char *line = NULL;
  size_t capacity = 0;
  bool there = false;
  FILE *stream = open_at(root, "/proc/self/", "cgroup");
  while (stream && !there && getline(&line, &capacity, stream) > 0) {
    there = read_group(line, controller, unified, path);
  }
  free(line);
  if (stream) fclose(stream);
  return there;
}

/* The group's path below the mount point. A container may see only a subtree (its top
 * leads every path), or be told of groups above what it sees ("/.."). */
static const char *below(const mount *mounted, const char *group) {
  const size_t top = strcmp(mounted->top, "/") == 0 ? 0 : strlen(mounted->top);
  const bool inside = strncmp(group, mounted->top, top) == 0 && strstr(group, "/..") == NULL &&
                      (group[top] == '/' || group[top] == '\0');
  return inside ? group + top : "";
}

/* ---- limits ---- */

static double group_cpus(const char *root, const char *folder, bool unified) {
  double quota = -1;
  double period = 0;
  if (unified) {
    FILE *stream = open_at(root, folder, "/cpu.max");
    if (stream && fscanf(stream, "%lf %lf", &quota, &period) != 2) quota = -1;
    if (stream) fclose(stream);
  } else {
    quota = read_number(root, folder, "/cpu.cfs_quota_us", -1);
    period = read_number(root, folder, "/cpu.cfs_period_us", 0);
  }
  return quota > 0 && period > 0 ? quota / period : (double)INFINITY;
}

static double group_memory_limit(const char *root, const char *folder, bool unified) {
  const double max = (double)INFINITY;
  const double limit = unified ? fmin(read_number(root, folder, "/memory.max", max),
                                      read_number(root, folder, "/memory.high", max))
                               : read_number(root, folder, "/memory.limit_in_bytes", max);
  return limit < 0x1p60 ? limit : max; /* version 1 writes a huge number for none */
}

static double group_memory(const char *root, const char *folder, bool unified) {
  const double limit = group_memory_limit(root, folder, unified);
  const double used =
      read_number(root, folder, unified ? "/memory.current" : "/memory.usage_in_bytes", 0);
  const double cached =
      read_key(root, folder, "/memory.stat", unified ? "inactive_file" : "total_inactive_file");
  return fmax(0, limit - fmax(0, used - cached));
}

/* The least of a limit over the process's group and those above it, in both versions. */
static double min(const gs_cgroups *groups, const membership both[2],
                  double (*limit_of)(const char *, const char *, bool)) {
  double limit = (double)INFINITY;
  char folder[2 * PATH_MAX];
  for (int version = 0; version < 2; version++) {
    const membership *own = &both[version];
    strcpy(folder, own->folder);
    while (*folder) {
      limit = fmin(limit, limit_of(groups->root, folder, own->unified));
      char *slash = strrchr(folder, '/');
      if (strlen(folder) <= own->point || !slash) break;
      *slash = '\0';
    }
  }
  return limit;
}

/* ---- both together ---- */

static void find(const char *root, const char *controller, membership both[2]) {
  mount mounted;
  char path[PATH_MAX];
  for (int version = 0; version < 2; version++) {
    both[version].unified = version == 1;
    if (!find_mount(root, controller, version == 1, &mounted) ||
        !find_group(root, controller, version == 1, path)) {
      continue;
    }
    both[version].point = strlen(mounted.point);
    snprintf(both[version].folder, sizeof both[version].folder, "%s%s", mounted.point,
             below(&mounted, path));
  }
}

gs_cgroups *gs_cgroups_find(const char *root) {
  gs_cgroups *groups = calloc(1, sizeof *groups);
  if (!groups) return NULL;
  snprintf(groups->root, sizeof groups->root, "%s", root);
  find(root, "cpu", groups->cpu);
  find(root, "memory", groups->memory);
  return groups;
}

gs_cgroup_limits gs_cgroups_read(const gs_cgroups *groups) {
  return (gs_cgroup_limits){.cpus = min(groups, groups->cpu, group_cpus),
                            .memory_bytes = min(groups, groups->memory, group_memory),
                            .memory_limit_bytes = min(groups, groups->memory, group_memory_limit)};
}
