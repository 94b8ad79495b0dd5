/* How large a cell's record can be. */
#ifndef GS_SWEEP_RECORD_SIZE_H
#define GS_SWEEP_RECORD_SIZE_H

#include "measure/measure.h"
#include "net/config.h"

/* More bytes than the line of a cell's record or of a later round can have, beside its
 * name and parameters. It grows with the points that are kept, their histograms and
 * nothing else. */
double gs_record_max_bytes(const gs_config *config, const gs_measure_options *options);

#endif
