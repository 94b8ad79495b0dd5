/* Reading single JSON values of a sweep's description; every complaint names its
 * location. */
#ifndef GS_BASE_VALUE_H
#define GS_BASE_VALUE_H

#include "base/location.h"
#include "base/names.h"

/* The number a value holds; false when it holds none or one that is not
 * finite. */
bool gs_value_number(const cJSON *value, double *number);

/* A finite number. */
gs_status gs_value_finite(const cJSON *value, const gs_location *location, double *number,
                          gs_error *error);

/* A finite number >= 0. */
gs_status gs_value_real(const cJSON *value, const gs_location *location, double *real,
                        gs_error *error);

/* An integer from 1 to max <= GS_MAX_SIZE; 3.0 is one, 3.5 is not. */
gs_status gs_value_size(const cJSON *value, const gs_location *location, int64_t max, int64_t *size,
                        gs_error *error);

/* A string, borrowed from the value. */
gs_status gs_value_word(const cJSON *value, const gs_location *location, const char **word,
                        gs_error *error);

/* One of an enumeration's names. */
gs_status gs_value_choice(const cJSON *value, const gs_location *location, const gs_names *names,
                          int *choice, gs_error *error);

/* Fails for the location's key, which is none of the keys that are accepted. */
gs_status gs_value_unknown_key(const gs_location *location, const char *const *keys, int count,
                               gs_error *error);

#endif
