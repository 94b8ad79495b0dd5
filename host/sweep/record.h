/* A cell's record (results/README.md): put together where no measurement did
 * it, and read for what the program itself needs of it. */
#ifndef GS_SWEEP_RECORD_H
#define GS_SWEEP_RECORD_H

#include "base/json.h"
#include "measure/agreement.h"
#include "sweep/spec.h"

/* What a record can say. X(constant, JSON name) */
#define GS_RECORD_STATUS_LIST(X)                                                                   \
  X(GS_CELL_OK, "ok")                                                                              \
  X(GS_CELL_SKIPPED, "skipped")                                                                    \
  X(GS_CELL_FAILED, "failed")                                                                      \
  X(GS_CELL_TIMEOUT, "timeout")                                                                    \
  X(GS_CELL_CRASHED, "crashed")
#define GS_CELL_STATUS_LIST(X)                                                                     \
  X(GS_CELL_PENDING, "pending") /* not run yet */                                                  \
  GS_RECORD_STATUS_LIST(X)

typedef enum gs_cell_status {
  GS_CELL_STATUS_LIST(GS_ROW_VALUE) GS_CELL_STATUS_COUNT
} gs_cell_status;

extern const gs_names gs_cell_status_names;

enum { GS_REASON_BYTES = 160 };

/* What the table, the progress and the writer of results need of a record.
 * NaN stands for a number the record does not have. */
typedef struct gs_outcome {
  gs_cell_status status;
  char reason[GS_REASON_BYTES]; /* the error, cut; when ok, what is not as predicted */
  double decades_p05; /* -INFINITY: a dead network's, INFINITY: one's that is not finite */
  double decades_p50;
  double decades_p95;
  double decades_per_layer; /* median */
  double dead;              /* share of the networks */
  double not_finite;
  char verdict[12];               /* empty where there is none */
  gs_agreement_verdict agreement; /* with the theory; GS_AGREEMENT_VERDICT_COUNT: none */
  double theory_z;                /* standard errors between decades and the prediction */
  bool has_jacobian;              /* of the whole network, means over replicas: */
  double jacobian_rms;            /* log10 of its singular values' root mean square, */
  double jacobian_largest;        /* largest */
  double jacobian_smallest;       /* and smallest */
  double lyapunov;                /* the largest exponent, nats per layer or step */
  double lost_f16;                /* first layer or step of delta lost */
  double lost_f32;
  double samples_per_s;
  double fraction_of_floor;
  bool floor_wrong;     /* that share cannot be: the floor is not trustworthy */
  double median_ns;     /* NaN: not timed */
  double timed_samples; /* of steps_per_sample steps each */
  double steps_per_sample;
  double timed_steps; /* all of them */
  double noise;       /* NaN also where one sample says nothing of it */
  unsigned lacks;     /* bits of gs_timing_lack */
  double disturbed;   /* samples, */
  double wall_ns;     /* the time of all of them */
  double held_up_ns;  /* and how much of it threads waited for a processor */
} gs_outcome;

/* An outcome that has not happened yet. */
gs_outcome gs_outcome_pending(void);
/* So many of them (malloc'd, the caller's), or NULL when out of memory. */
gs_outcome *gs_outcomes_pending(int64_t count);

/* Reads a record, or the line of a later round, which has timing alone; of a record that
 * came from outside, what record_read.h kept of it. Errors: GS_ERR_DATA when it has no known
 * status. */
gs_status gs_outcome_read(const cJSON *record, gs_outcome *outcome, gs_error *error);
/* Takes the numbers of a timing (NULL: none) over. */
void gs_outcome_take_timing(const cJSON *timing, gs_outcome *outcome);

/* A configuration's parameters as records have them: what tells one device from all others
 * only when that is wanted. NULL when out of memory. */
cJSON *gs_record_params(const gs_config *config, bool identify);

/* A record without measurements: id, name, params (borrowed), status, error,
 * backend (borrowed: the device's description). The caller owns it; NULL when
 * out of memory. */
cJSON *gs_record_bare(const char *id, const char *name, const cJSON *params, gs_cell_status status,
                      const char *reason, const cJSON *device);

/* The line of a later round: id, round, status, error (NULL: null), and the timing (taken
 * over; NULL: none). NULL when out of memory. */
cJSON *gs_record_round(const char *id, int64_t round, gs_cell_status status, const char *reason,
                       cJSON *timing);

/* A measured record with its id, name and params put before what it has.
 * Takes `measured` over, frees it on failure; params is borrowed. NULL when out
 * of memory. */
cJSON *gs_record_complete(const char *id, const char *name, const cJSON *params, cJSON *measured);

#endif
