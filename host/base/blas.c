/* OpenBLAS by dlopen. See blas.h. */
#include "base/blas.h"

#include <cblas.h>
#include <dlfcn.h>
#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/lapack.h"

enum { NAME_BYTES = 64 };

/* Each routine with the prototype of its header: X(name). */
#define ROUTINES(X)                                                                                \
  X(cblas_dgemm)                                                                                   \
  X(cblas_dgemv)                                                                                   \
  X(cblas_dtrmm)                                                                                   \
  X(dgeev_)                                                                                        \
  X(dgesdd_)                                                                                       \
  X(dgeqrf_)                                                                                       \
  X(dorgqr_)                                                                                       \
  X(dtrtri_)                                                                                       \
  X(openblas_get_config)                                                                           \
  X(openblas_get_parallel)

static struct {
#define POINTER(name) __typeof__(&(name)) name;
  ROUTINES(POINTER)
#undef POINTER
  char title[NAME_BYTES];
} blas;

/* ---- room ---- */

/* Of address space: at loading, and for each thread that multiplies (a buffer of
 * 128 MiB, and what the C library reserves for a thread). Measured with 0.3.21. */
static const double load_bytes = 320e6;
static const double thread_bytes = 180e6;

/* What a limit leaves; infinite without one. */
static double room_bytes(void) {
  struct rlimit limit;
  unsigned long long pages = 0;
  if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return (double)INFINITY;
  FILE *stream = fopen("/proc/self/statm", "re");
  if (stream) {
    if (fscanf(stream, "%llu", &pages) != 1) pages = 0;
    fclose(stream);
  }
  return (double)limit.rlim_cur - (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static gs_status check_room(int threads, gs_error *error) {
  const double need = load_bytes + thread_bytes * threads;
  const double room = room_bytes();
  if (room >= need) return GS_OK;
  return GS_FAIL(error, GS_ERR_MEMORY,
                 "OpenBLAS on %d threads needs %.0f MB of address space, and the limit (ulimit -v) "
                 "leaves %.0f",
                 threads, need / 1e6, room > 0 ? room / 1e6 : 0);
}

/* ---- loading ---- */

/* The library that was there when gradsweep was configured, or one of its name. */
static void *open_library(void) {
  void *library = dlopen(GRADSWEEP_BLAS_FOLDER "/libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
  return library ? library : dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
}

static gs_status find_routines(void *library, gs_error *error) {
  static const struct {
    const char *name;
    void *pointer; /* where the routine's address goes */
  } routines[] = {
#define ROUTINE(name) {#name, &blas.name},
      ROUTINES(ROUTINE)
#undef ROUTINE
  };
  for (size_t i = 0; i < sizeof routines / sizeof *routines; i++) {
    void *found = dlsym(library, routines[i].name);
    if (!found) return GS_FAIL(error, GS_ERR_DEVICE, "OpenBLAS lacks %s", routines[i].name);
    memcpy(routines[i].pointer, &found, sizeof found);
  }
  return GS_OK;
}

/* "OpenBLAS 0.3.21 NO_AFFINITY USE_OPENMP ...": the first two words */
static void keep_name(void) {
  const char *config = blas.openblas_get_config();
  const size_t name = strcspn(config, " ");
  const size_t words = name + (config[name] ? 1 + strcspn(config + name + 1, " ") : 0);
  snprintf(blas.title, sizeof blas.title, "%.*s", (int)words, config);
}

static gs_status load(int threads, gs_error *error) {
  GS_TRY(check_room(threads, error));
  void *library = open_library();
  if (!library) return GS_FAIL(error, GS_ERR_DEVICE, "OpenBLAS cannot be loaded: %s", dlerror());
  GS_TRY(find_routines(library, error));
  if (blas.openblas_get_parallel() == OPENBLAS_SEQUENTIAL) {
    return GS_FAIL(error, GS_ERR_DEVICE,
                   "this is OpenBLAS's serial build, which threads must not share: install its "
                   "OpenMP build (libopenblas-openmp-dev) and configure anew");
  }
  keep_name();
  return GS_OK;
}

gs_status gs_blas_load(int threads, gs_error *error) {
  static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
  static bool tried;
  static gs_error first;
  pthread_mutex_lock(&lock);
  if (!tried) (void)load(threads, &first);
  tried = true;
  pthread_mutex_unlock(&lock);
  if (first.status == GS_OK) return GS_OK;
  return GS_FAIL(error, first.status, "%s", first.message);
}

const char *gs_blas_name(void) { return blas.title; }

/* ---- the library's own names ---- */

/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): ours are shorter */
void cblas_dgemm(OPENBLAS_CONST enum CBLAS_ORDER order, OPENBLAS_CONST enum CBLAS_TRANSPOSE trans_a,
                 OPENBLAS_CONST enum CBLAS_TRANSPOSE trans_b, OPENBLAS_CONST blasint m,
                 OPENBLAS_CONST blasint n, OPENBLAS_CONST blasint k, OPENBLAS_CONST double alpha,
                 OPENBLAS_CONST double *a, OPENBLAS_CONST blasint lda, OPENBLAS_CONST double *b,
                 OPENBLAS_CONST blasint ldb, OPENBLAS_CONST double beta, double *c,
                 OPENBLAS_CONST blasint ldc) {
  blas.cblas_dgemm(order, trans_a, trans_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

void cblas_dgemv(OPENBLAS_CONST enum CBLAS_ORDER order, OPENBLAS_CONST enum CBLAS_TRANSPOSE trans,
                 OPENBLAS_CONST blasint m, OPENBLAS_CONST blasint n, OPENBLAS_CONST double alpha,
                 OPENBLAS_CONST double *a, OPENBLAS_CONST blasint lda, OPENBLAS_CONST double *x,
                 OPENBLAS_CONST blasint step_x, OPENBLAS_CONST double beta, double *y,
                 OPENBLAS_CONST blasint step_y) {
  blas.cblas_dgemv(order, trans, m, n, alpha, a, lda, x, step_x, beta, y, step_y);
}

void cblas_dtrmm(OPENBLAS_CONST enum CBLAS_ORDER order, OPENBLAS_CONST enum CBLAS_SIDE side,
                 OPENBLAS_CONST enum CBLAS_UPLO uplo, OPENBLAS_CONST enum CBLAS_TRANSPOSE trans,
                 OPENBLAS_CONST enum CBLAS_DIAG diag, OPENBLAS_CONST blasint m,
                 OPENBLAS_CONST blasint n, OPENBLAS_CONST double alpha, OPENBLAS_CONST double *a,
                 OPENBLAS_CONST blasint lda, double *b, OPENBLAS_CONST blasint ldb) {
  blas.cblas_dtrmm(order, side, uplo, trans, diag, m, n, alpha, a, lda, b, ldb);
}

void dgeev_(const char *jobvl, const char *jobvr, const int *n, double *a, const int *lda,
            double *wr, double *wi, double *vl, const int *ldvl, double *vr, const int *ldvr,
            double *work, const int *lwork, int *info, size_t jobvl_bytes, size_t jobvr_bytes) {
  blas.dgeev_(jobvl, jobvr, n, a, lda, wr, wi, vl, ldvl, vr, ldvr, work, lwork, info, jobvl_bytes,
              jobvr_bytes);
}

void dgesdd_(const char *jobz, const int *m, const int *n, double *a, const int *lda, double *s,
             double *u, const int *ldu, double *vt, const int *ldvt, double *work, const int *lwork,
             int *iwork, int *info, size_t jobz_bytes) {
  blas.dgesdd_(jobz, m, n, a, lda, s, u, ldu, vt, ldvt, work, lwork, iwork, info, jobz_bytes);
}

void dgeqrf_(const int *m, const int *n, double *a, const int *lda, double *tau, double *work,
             const int *lwork, int *info) {
  blas.dgeqrf_(m, n, a, lda, tau, work, lwork, info);
}

void dorgqr_(const int *m, const int *n, const int *k, double *a, const int *lda, const double *tau,
             double *work, const int *lwork, int *info) {
  blas.dorgqr_(m, n, k, a, lda, tau, work, lwork, info);
}

void dtrtri_(const char *uplo, const char *diag, const int *n, double *a, const int *lda, int *info,
             size_t uplo_bytes, size_t diag_bytes) {
  blas.dtrtri_(uplo, diag, n, a, lda, info, uplo_bytes, diag_bytes);
}
/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */
