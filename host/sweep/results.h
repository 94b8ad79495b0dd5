/* results.json: the document of a run (results/README.md), put together from
 * the journal's lines without ever holding more than one of them. */
#ifndef GS_SWEEP_RESULTS_H
#define GS_SWEEP_RESULTS_H

#include "sweep/ledger.h"

enum { GS_RESULTS_SCHEMA = 3 };

/* What the context says beside what the machine and the build say of themselves. */
typedef struct gs_results_facts {
  const cJSON *device; /* the worker's description */
  const cJSON *options;
} gs_results_facts;

/* Replaces folder/results.json by the cells that have finished, in the order of
 * the sweep, and brings their outcomes up to date. On failure (GS_ERR_OUTPUT,
 * GS_ERR_DATA, GS_ERR_MEMORY) the old file, if any, is as it was. */
gs_status gs_results_write(const char *folder, const gs_ledger *ledger,
                           const gs_results_facts *facts, const gs_journal *journal,
                           gs_error *error);

/* "2026-01-31T12:00:00+00:00", now. */
enum { GS_DATE_BYTES = 32 };
const char *gs_results_date(char date[GS_DATE_BYTES]);

#endif
