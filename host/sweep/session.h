/* The device's side of a run: a worker process that is there when asked, its
 * device's description and measured limits, and the requests it understands.
 * Hides that workers die and are replaced. */
#ifndef GS_SWEEP_SESSION_H
#define GS_SWEEP_SESSION_H

#include "measure/measure.h"
#include "sweep/journal.h"
#include "sweep/process.h"
#include "sweep/record_read.h"
#include "sweep/spec.h"

typedef struct gs_session {
  gs_process_options options;
  gs_process *process; /* NULL: none at the moment */
  cJSON *device;       /* as the first worker described it */
  bool interrupted;    /* the interrupt descriptor became readable; nothing more runs */
} gs_session;

/* Starts the first worker. Those that replace it open the device that it found,
 * whatever "auto" would find by then. Check `interrupted` after every call. The caller
 * closes the session, also after a failure. Errors: of gs_process_start. */
gs_status gs_session_open(gs_session *session, const gs_process_options *options, gs_error *error);
void gs_session_close(gs_session *session);

/* The roofline, as the worker measured it: a tree for gs_roofline_from_json, the
 * caller's. Errors: GS_ERR_DEVICE. */
gs_status gs_session_roofline(gs_session *session, cJSON **roofline, gs_error *error);

/* What the network of a cell will take. Errors: whatever stands against it;
 * GS_ERR_MEMORY when no machine could hold it. */
gs_status gs_session_predict(gs_session *session, const gs_config *config, double *bytes,
                             gs_error *error);

/* What a cell's request says beside the cell. */
typedef struct gs_cell_terms {
  gs_measure_options measure;
  double timeout_s;
  double memory_limit_bytes;
  bool identify; /* a UUID or PCI address that was asked for is recorded */
} gs_cell_terms;

/* Has a cell measured, or timed in a later round (terms->measure.round). Whatever becomes of the
 * worker there is a record: *line (malloc'd, the caller's), or, of a long one, NULL and the record
 * is poured into the journal, to be sealed; and what is in it, checked, in *facts. A
 * worker that died, hung or reported a failing device is replaced at the next request. When
 * interrupted, there is neither. Errors: GS_ERR_MEMORY; of gs_process_start, when
 * no new worker can be had; GS_ERR_DEVICE when it is on another device; of gs_journal_pour. */
gs_status gs_session_cell(gs_session *session, const gs_cell *cell, int64_t index,
                          const gs_cell_terms *terms, gs_journal *journal, char **line,
                          gs_record_facts *facts, gs_error *error);

#endif
