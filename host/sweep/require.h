/* What a run must have done for its exit code to be 0: gradsweep run --require. */
#ifndef GS_SWEEP_REQUIRE_H
#define GS_SWEEP_REQUIRE_H

#include <stdio.h>

#include "sweep/record.h"
#include "sweep/spec.h"

enum { GS_REQUIRE_MAX = 32, GS_REQUIRE_BYTES = 128 };

typedef struct gs_requirement {
  int rule;                     /* in the table of require.c */
  char text[GS_REQUIRE_BYTES];  /* as it was asked for: "cells>=20" */
  char value[GS_REQUIRE_BYTES]; /* "20"; empty for a word alone */
} gs_requirement;

typedef struct gs_requirements {
  gs_requirement list[GS_REQUIRE_MAX];
  int count;
} gs_requirements;

/* Adds what a list with commas between its words asks for: "backend=cuda,cells>=20".
 * Errors: GS_ERR_USAGE. */
gs_status gs_requirements_add(gs_requirements *requirements, const char *list, gs_error *error);

/* What is known of a run. */
typedef struct gs_require_facts {
  const gs_sweep *sweep;
  const cJSON *device;        /* the worker's description; NULL: judged already */
  const gs_outcome *outcomes; /* one per cell; NULL: nothing has been run yet */
  bool timed;                 /* cells are to be timed */
  bool only_statuses;         /* of the outcomes: a dry run */
} gs_require_facts;

/* Writes a line for each requirement that these facts show not to be met; how many. */
int gs_requirements_judge(const gs_requirements *requirements, const gs_require_facts *facts,
                          FILE *stream);

/* The words that are known, one a line, for the help. */
void gs_requirements_print_help(FILE *stream);

#endif
