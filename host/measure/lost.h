/* What number formats would lose of a network, along its layers or steps.
 *
 * An element is lost in a format if it is zero, infinite or NaN there and not zero
 * by the activation: where phi' is 0, where a unit is dead, where h is a relu's 0.
 * Such zeros are zero at any exponent, so what extended range holds as zero is left
 * out (with it, what lies further below its tensor's largest element than the dtype
 * reaches), and everything else is judged by its magnitude.
 *
 * Native range cannot tell the two kinds of zero apart, and once h is lost it
 * differentiates another network (relu'(NaN) is 1, leaky_relu'(0) one of its
 * slopes). So its networks are judged by their true magnitudes, too: by a pass in
 * extended range, the same weights and inputs. What the run lost is then counted as
 * what it was, and both ranges say the same of every format. */
#ifndef GS_MEASURE_LOST_H
#define GS_MEASURE_LOST_H

#include "measure/formats.h"
#include "net/network.h"

/* What every format keeps of one quantity, all replicas together. */
typedef struct gs_kept_axis {
  int64_t points; /* 0: there are no histograms */
  gs_kept (*at)[GS_FORMAT_COUNT];
} gs_kept_axis;

/* From statistics in extended range, which may be absent. What is infinite or NaN
 * even there counts as infinite. Errors: GS_ERR_MEMORY; *axis is then empty. */
gs_status gs_kept_axis_of(const gs_quantity_stats *stats, const gs_config *config,
                          gs_kept_axis *axis, gs_error *error);
void gs_kept_axis_clear(gs_kept_axis *axis);

/* Of a network as it would be in extended range: creates it, takes a step and lets
 * go of it. Errors: of gs_network_create and gs_network_step; all axes are then
 * empty. */
gs_status gs_kept_axes_measure(gs_device *device, const gs_config *config,
                               gs_kept_axis axes[GS_QUANTITY_COUNT], gs_error *error);
void gs_kept_axes_clear(gs_kept_axis axes[GS_QUANTITY_COUNT]);

/* The first point (from 1), walking forward or backward, where a format loses more
 * than half of the elements; 0 if there is none. */
int64_t gs_first_lost(const gs_kept_axis *axis, gs_format format, bool backward);

/* The same of a run in native range: where more than half of the elements that are
 * not zero by the activation, of which `axis` knows how many there are, are zero,
 * infinite or NaN in it. Losses spread: one infinity makes the next layer NaN, and
 * a forward pass that is lost takes the backward pass with it. */
int64_t gs_first_lost_by_run(const gs_quantity_stats *stats, const gs_config *config,
                             const gs_kept_axis *axis, bool backward);

#endif
