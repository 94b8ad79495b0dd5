/* Counting along the axis, and the pass in extended range. See lost.h. */
#include "measure/lost.h"

#include <stdlib.h>

void gs_kept_axis_clear(gs_kept_axis *axis) {
  free(axis->at);
  *axis = (gs_kept_axis){0};
}

void gs_kept_axes_clear(gs_kept_axis axes[GS_QUANTITY_COUNT]) {
  for (int q = 0; q < GS_QUANTITY_COUNT; q++) gs_kept_axis_clear(&axes[q]);
}

/* Adds one replica's elements at one point. */
static void add_replica(gs_kept kept[GS_FORMAT_COUNT], const gs_stats *stats,
                        const uint32_t *histogram, int bins, gs_dtype dtype) {
  const int64_t first_exponent = stats->exponent + gs_dtype_min_exponent(dtype);
  for (int f = 0; f < GS_FORMAT_COUNT; f++) {
    gs_kept_add(&kept[f], (gs_format)f, histogram, bins, first_exponent);
    kept[f].inf += stats->inf + stats->nan;
  }
}

gs_status gs_kept_axis_of(const gs_quantity_stats *stats, const gs_config *config,
                          gs_kept_axis *axis, gs_error *error) {
  const int64_t replicas = config->replicas;
  *axis = (gs_kept_axis){0};
  if (stats->points == 0 || !stats->histogram) return GS_OK;
  axis->at = calloc((size_t)stats->points, sizeof *axis->at);
  if (!axis->at) return GS_FAIL(error, GS_ERR_MEMORY, "no memory for what formats lose");
  axis->points = stats->points;
  for (int64_t i = 0; i < stats->points * replicas; i++) {
    add_replica(axis->at[i / replicas], &stats->stats[i], stats->histogram + i * stats->bins,
                stats->bins, config->dtype);
  }
  return GS_OK;
}

int64_t gs_first_lost(const gs_kept_axis *axis, gs_format format, bool backward) {
  for (int64_t i = 0; i < axis->points; i++) {
    const int64_t index = backward ? axis->points - 1 - i : i;
    const gs_kept *kept = &axis->at[index][format];
    if (2 * gs_kept_lost(kept) > gs_kept_total(kept)) return index + 1;
  }
  return 0;
}

/* Finite elements that are not zero, of all replicas at one point. */
static int64_t held_by_run(const gs_stats *stats, int64_t replicas) {
  int64_t held = 0;
  for (int64_t r = 0; r < replicas; r++) {
    held += stats[r].count - stats[r].zero - stats[r].inf - stats[r].nan;
  }
  return held;
}

int64_t gs_first_lost_by_run(const gs_quantity_stats *stats, const gs_config *config,
                             const gs_kept_axis *axis, bool backward) {
  for (int64_t i = 0; i < axis->points; i++) {
    const int64_t index = backward ? axis->points - 1 - i : i;
    const int64_t total = gs_kept_total(&axis->at[index][GS_FORMAT_F32]);
    const int64_t held = held_by_run(stats->stats + index * config->replicas, config->replicas);
    if (2 * (total - held) > total) return index + 1;
  }
  return 0;
}

/* ---- the pass in extended range ---- */

static gs_status step_and_count(gs_network *network, gs_kept_axis axes[GS_QUANTITY_COUNT],
                                gs_error *error) {
  GS_TRY(gs_network_step(network, true, error));
  for (int q = 0; q < GS_QUANTITY_COUNT; q++) {
    gs_quantity_stats stats;
    GS_TRY(gs_network_view_stats(network, (gs_quantity)q, &stats, error));
    const gs_status status = gs_kept_axis_of(&stats, gs_network_config(network), &axes[q], error);
    gs_quantity_stats_clear(&stats);
    if (status != GS_OK) return status;
  }
  return GS_OK;
}

gs_status gs_kept_axes_measure(gs_device *device, const gs_config *config,
                               gs_kept_axis axes[GS_QUANTITY_COUNT], gs_error *error) {
  gs_config extended;
  gs_network *network = NULL;
  for (int q = 0; q < GS_QUANTITY_COUNT; q++) axes[q] = (gs_kept_axis){0};
  GS_TRY(gs_config_copy(config, &extended, error));
  extended.range = GS_RANGE_EXTENDED;
  gs_status status = gs_network_create(device, &extended, NULL, &network, error);
  if (status == GS_OK) status = step_and_count(network, axes, error);
  gs_network_destroy(network);
  gs_config_clear(&extended);
  if (status != GS_OK) gs_kept_axes_clear(axes);
  return status;
}
