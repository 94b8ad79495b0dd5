/* Published claims about gradients, each as checks of measurements against the numbers
 * that its source or theory states. */
#ifndef GS_CLAIMS_CLAIMS_H
#define GS_CLAIMS_CLAIMS_H

#include "claims/check.h"
#include "device/facts.h"

/* One claim being checked. */
typedef struct gs_claim_run {
  gs_device *device; /* borrowed */
  uint64_t seed;     /* of every random number; with several sets, the first seed */
  void (*report)(void *context, const gs_check *check); /* as each is done; may be NULL */
  void *context;
  bool falsify;     /* for tests: expect other numbers than are measured */
  gs_check *checks; /* owned */
  int count;
  int capacity;
} gs_claim_run;

typedef struct gs_claim {
  const char *name;
  const char *title;
  const char *source;
  /* Adds its checks. Errors: of the device; GS_ERR_MEMORY. A check that does not pass is
   * no error. */
  gs_status (*run)(gs_claim_run *run, gs_error *error);
} gs_claim;

extern const gs_claim gs_claims[];
extern const int gs_claim_count;

/* NULL for an unknown name. */
const gs_claim *gs_claim_find(const char *name);

/* Judges the check, keeps a copy and reports it. Errors: GS_ERR_MEMORY. */
gs_status gs_claim_add(gs_claim_run *run, gs_check *check, gs_error *error);
/* Whether there are checks and all have passed. */
bool gs_claim_passed(const gs_claim_run *run);
/* Frees the checks. */
void gs_claim_run_clear(gs_claim_run *run);

/* Puts {"checks": [...], "name", "title", "source", "passed"} into the array that is open. */
void gs_claim_put(gs_json_writer *w, const gs_claim *claim, const gs_claim_run *run);

/* The claims, one file each. */
gs_status gs_claim_textbook(gs_claim_run *run, gs_error *error);
gs_status gs_claim_he2015(gs_claim_run *run, gs_error *error);
gs_status gs_claim_glorot2010(gs_claim_run *run, gs_error *error);
gs_status gs_claim_saxe2014(gs_claim_run *run, gs_error *error);
gs_status gs_claim_schoenholz2017(gs_claim_run *run, gs_error *error);
gs_status gs_claim_nielsen(gs_claim_run *run, gs_error *error);
gs_status gs_claim_hanin2020(gs_claim_run *run, gs_error *error);
gs_status gs_claim_pascanu2013(gs_claim_run *run, gs_error *error);
gs_status gs_claim_irnn2015(gs_claim_run *run, gs_error *error);
gs_status gs_claim_zucchet2024(gs_claim_run *run, gs_error *error);
gs_status gs_claim_lu2019(gs_claim_run *run, gs_error *error);
gs_status gs_claim_roberts2022(gs_claim_run *run, gs_error *error);
gs_status gs_claim_kaiming_normal(gs_claim_run *run, gs_error *error);
gs_status gs_claim_keras_he_normal(gs_claim_run *run, gs_error *error);

#endif
