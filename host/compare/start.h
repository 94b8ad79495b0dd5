/* One start of the program: a results.json, read and checked, with what a comparison needs
 * of it. Records stay text until they are looked at. */
#ifndef GS_COMPARE_START_H
#define GS_COMPARE_START_H

#include "base/json.h"
#include "base/sha256.h"
#include "sweep/record.h"

enum { GS_COMPARE_FILE_BYTES = 1 << 30 }; /* a larger file is refused */

/* A cell's record. */
typedef struct gs_start_cell {
  char id[GS_CELL_ID_BYTES];
  char *name;
  size_t start, end; /* its text */
  gs_cell_status status;
  char weights_hash[GS_CELL_ID_BYTES]; /* this and the digest: empty where it is not ok */
  char digest[GS_SHA256_TEXT_BYTES];
  double *round_log_ns; /* [rounds] ln of the low quantile of a round's samples, ns */
  int64_t rounds;       /* that are evidence */
  int64_t busy;         /* that are none: others had the machine */
} gs_start_cell;

typedef struct gs_start {
  char *path;
  char *text;
  size_t length;
  cJSON *context;
  gs_start_cell *cells; /* [count], in the file's order */
  int64_t count;
} gs_start;

/* The quantile of a round's samples that stands for the round. What disturbs a machine makes
 * steps slower and never faster, so the low end is the program's own (the minimum itself is
 * an extreme, which hangs on how many samples there are). */
#define GS_COMPARE_QUANTILE 0.1

/* Reads a results.json. It is refused unless it is of this version of the format, whole,
 * with the checksum of its bytes at its end, and every record has its shape
 * (results/README.md). To be cleared also after a failure. Errors: GS_ERR_DATA, one line
 * with the file's name and the location; GS_ERR_MEMORY. */
gs_status gs_start_read(const char *path, gs_start *start, gs_error *error);
void gs_start_clear(gs_start *start);

/* A cell's record as a tree, the caller's. */
gs_status gs_start_record(const gs_start *start, int64_t cell, cJSON **record, gs_error *error);

/* The index of a cell, or -1. */
int64_t gs_start_find(const gs_start *start, const char *id);

#endif
