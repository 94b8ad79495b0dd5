/* Checks of claims for people. */
#ifndef GS_CLI_REPRODUCE_PRINT_H
#define GS_CLI_REPRODUCE_PRINT_H

#include <stdio.h>

#include "claims/claims.h"

typedef struct gs_reproduce_page {
  FILE *stream;
  bool colour;
  int checks; /* of this claim, so far */
} gs_reproduce_page;

/* The claim's title and source; starts its count of checks. */
void gs_reproduce_print_claim(gs_reproduce_page *page, const gs_claim *claim);
/* One check, as it is done. */
void gs_reproduce_print_check(gs_reproduce_page *page, const gs_check *check);
/* The claim's last line. */
void gs_reproduce_print_end(gs_reproduce_page *page, const gs_claim *claim, const gs_claim_run *run,
                            double seconds);

#endif
