/* A set-up in words that can be typed. */
#ifndef GS_CLAIMS_SETUP_H
#define GS_CLAIMS_SETUP_H

#include "net/config.h"

/* The arguments of `gradsweep run` that measure this network, without what is the
 * default anyway and without what changes no number there (statistics, device, launch). With
 * `axis`, an option ("width"), its value is `values` instead ("64,128"). Returns text. */
const char *gs_setup_command(const gs_config *config, const char *axis, const char *values,
                             char *text, size_t capacity);

#endif
