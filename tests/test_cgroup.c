/* Limits of control groups, from folders that look like /proc and /sys. */
#include <ftw.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cgroup.h"
#include "base/threads.h"

static char root[64];

static int make_root(void **state) {
  (void)state;
  strcpy(root, "/tmp/gs_cgroup_XXXXXX");
  return mkdtemp(root) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *about, int kind, struct FTW *place) {
  (void)about;
  (void)kind;
  (void)place;
  return remove(path);
}

static int remove_root(void **state) {
  (void)state;
  return nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Writes root/path with the folders above it. */
static void put(const char *path, const char *text) {
  char full[512];
  snprintf(full, sizeof full, "%s/%s", root, path);
  for (char *at = full + strlen(root) + 1; *at; at++) {
    if (*at != '/') continue;
    *at = '\0';
    mkdir(full, 0777);
    *at = '/';
  }
  FILE *stream = fopen(full, "w");
  assert_non_null(stream);
  fputs(text, stream);
  fclose(stream);
}

static const char *const unified =
    "30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n";
static const char *const split =
    "24 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
    "31 24 0:27 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:5 - cgroup cgroup rw,cpu,cpuacct\n"
    "32 24 0:28 / /sys/fs/cgroup/memory rw,nosuid shared:6 - cgroup cgroup rw,memory\n";

static gs_cgroup_limits read_limits(void) {
  gs_cgroups *groups = gs_cgroups_find(root);
  assert_non_null(groups);
  const gs_cgroup_limits limits = gs_cgroups_read(groups);
  free(groups);
  return limits;
}

static void expect(double cpus, double memory) {
  const gs_cgroup_limits limits = read_limits();
  assert_true(limits.cpus == cpus);
  assert_true(limits.memory_bytes == memory);
}

static void nothing_limits_nothing(void **state) {
  (void)state;
  expect(INFINITY, INFINITY);
  put("proc/self/cgroup", "0::/user.slice\n");
  expect(INFINITY, INFINITY);
  put("proc/self/mountinfo", unified);
  expect(INFINITY, INFINITY);
  put("sys/fs/cgroup/user.slice/cpu.max", "max 100000\n");
  put("sys/fs/cgroup/user.slice/memory.max", "max\n");
  expect(INFINITY, INFINITY);
}

static void version_2_and_every_group_above(void **state) {
  (void)state;
  put("proc/self/mountinfo", unified);
  put("proc/self/cgroup", "0::/slurm/job_7/step_0\n");
  put("sys/fs/cgroup/slurm/cpu.max", "400000 100000\n");
  put("sys/fs/cgroup/slurm/job_7/cpu.max", "150000 100000\n");
  put("sys/fs/cgroup/slurm/job_7/step_0/cpu.max", "max 100000\n");
  put("sys/fs/cgroup/slurm/job_7/memory.max", "1000000\n");
  put("sys/fs/cgroup/slurm/job_7/memory.current", "700000\n");
  put("sys/fs/cgroup/slurm/job_7/memory.stat",
      "anon 300000\nfile 400000\ninactive_file 350000\nx 1\n");
  expect(1.5, 650000);
  assert_true(read_limits().memory_limit_bytes == 1000000);
  put("sys/fs/cgroup/slurm/memory.high", "5000\n");
  put("sys/fs/cgroup/slurm/memory.current", "4000\n");
  expect(1.5, 1000);
  put("sys/fs/cgroup/slurm/memory.current", "9000\n");
  expect(1.5, 0); /* above the limit already */
}

static void version_1_and_nested_paths(void **state) {
  (void)state;
  put("proc/self/mountinfo", split);
  put("proc/self/cgroup",
      "5:memory:/slurm/uid_1/job_2/step_3\n4:cpu,cpuacct:/slurm/uid_1\n1:name=systemd:/x\n0::/\n");
  put("sys/fs/cgroup/cpu,cpuacct/slurm/uid_1/cpu.cfs_quota_us", "50000\n");
  put("sys/fs/cgroup/cpu,cpuacct/slurm/uid_1/cpu.cfs_period_us", "100000\n");
  put("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
  put("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
  put("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  put("sys/fs/cgroup/memory/memory.usage_in_bytes", "123456789\n");
  put("sys/fs/cgroup/memory/slurm/uid_1/job_2/memory.limit_in_bytes", "2000000\n");
  put("sys/fs/cgroup/memory/slurm/uid_1/job_2/memory.usage_in_bytes", "500000\n");
  put("sys/fs/cgroup/memory/slurm/uid_1/job_2/memory.stat",
      "cache 1\ninactive_file 7\ntotal_inactive_file 100000\n");
  put("sys/fs/cgroup/memory/slurm/uid_1/job_2/step_3/memory.limit_in_bytes",
      "9223372036854771712\n");
  expect(0.5, 1600000);
}

/* systemd's "hybrid": controllers in version 1, processes also in an empty version 2. */
static void both_versions(void **state) {
  (void)state;
  char mounts[1024];
  snprintf(mounts, sizeof mounts, "%s%s",
           "40 24 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n", split);
  put("proc/self/mountinfo", mounts);
  put("proc/self/cgroup", "5:memory:/a\n4:cpu,cpuacct:/a\n0::/b\n");
  put("sys/fs/cgroup/unified/b/cpu.max", "300000 100000\n");
  put("sys/fs/cgroup/memory/a/memory.limit_in_bytes", "4096\n");
  expect(3, 4096);
}

static void containers_see_a_subtree(void **state) {
  (void)state;
  put("proc/self/mountinfo", "30 24 0:26 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw\n");
  put("proc/self/cgroup", "0::/docker/abc/inner\n");
  put("sys/fs/cgroup/cpu.max", "200000 100000\n");
  put("sys/fs/cgroup/inner/memory.max", "100\n");
  expect(2, 100);
  put("proc/self/cgroup", "0::/../../elsewhere\n"); /* outside this namespace */
  expect(2, INFINITY);
  put("proc/self/cgroup", "0::/docker/abcdef\n"); /* another group, not one below */
  expect(2, INFINITY);
  put("proc/self/mountinfo", "30 24 0:26 / /sys/fs/my\\040groups ro - cgroup2 cgroup rw\n");
  put("sys/fs/my groups/docker/abcdef/cpu.max", "700000 100000\n");
  expect(7, INFINITY);
}

static void garbage_limits_nothing(void **state) {
  (void)state;
  static const char *const texts[] = {"",       "\n",       "max",     "-1 100000", "0 100000",
                                      "100000", "100000 0", "nan nan", "1e400 1",   "x y"};
  put("proc/self/mountinfo", unified);
  put("proc/self/cgroup", "garbage\n::\n0::/a\n");
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    put("sys/fs/cgroup/a/cpu.max", texts[i]);
    const gs_cgroup_limits limits = read_limits();
    assert_true(limits.cpus == (double)INFINITY);
  }
  put("sys/fs/cgroup/a/memory.max", "garbage");
  put("proc/self/mountinfo", "a b c - \n - cgroup2\n1 2 3 - cgroup2 x\n\n");
  expect(INFINITY, INFINITY);
}

static void the_least_number_of_threads_rules(void **state) {
  (void)state;
  gs_cgroup_limits limits = {.cpus = INFINITY, .memory_bytes = INFINITY};
  assert_int_equal(gs_threads_allowed(16, NULL, &limits), 16);
  assert_int_equal(gs_threads_allowed(16, "4", &limits), 4);
  assert_int_equal(gs_threads_allowed(16, "4,2", &limits), 4);
  assert_int_equal(gs_threads_allowed(16, "64", &limits), 16);
  assert_int_equal(gs_threads_allowed(16, "", &limits), 16);
  assert_int_equal(gs_threads_allowed(16, "-3", &limits), 16);
  assert_int_equal(gs_threads_allowed(16, "many", &limits), 16);
  limits.cpus = 2.5;
  assert_int_equal(gs_threads_allowed(16, NULL, &limits), 3);
  assert_int_equal(gs_threads_allowed(16, "2", &limits), 2);
  limits.cpus = 0.1;
  assert_int_equal(gs_threads_allowed(16, NULL, &limits), 1);
  assert_true(gs_threads_default() >= 1);
}

int main(void) {
#define WITH_ROOT(test) cmocka_unit_test_setup_teardown(test, make_root, remove_root)
  const struct CMUnitTest tests[] = {
      WITH_ROOT(nothing_limits_nothing),
      WITH_ROOT(version_2_and_every_group_above),
      WITH_ROOT(version_1_and_nested_paths),
      WITH_ROOT(both_versions),
      WITH_ROOT(containers_see_a_subtree),
      WITH_ROOT(garbage_limits_nothing),
      cmocka_unit_test(the_least_number_of_threads_rules),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
