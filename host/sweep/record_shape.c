/* What records look like. See record_shape.h. */
#include "sweep/record_shape.h"

#include <math.h>

#include "measure/agreement.h"
#include "measure/formats.h"
#include "measure/timing_rule.h"
#include "measure/verdict.h"
#include "sweep/record.h"
#include "theory/theory.h"

/* ---- names ---- */

#define LACK_NAME(constant, bit, name) name,

static const gs_names statuses = {"status", GS_NAMES(GS_RECORD_STATUS_LIST(GS_ROW_NAME)), NULL};
static const gs_names backends = {"backend", GS_NAMES("cpu", "cuda", ), NULL};
static const gs_names biases = {"bias", GS_NAMES("none", GS_BIAS_LIST(GS_ROW_NAME)), NULL};
static const gs_names classes = {"class", GS_NAMES("finite", "dead", "not_finite", ), NULL};
static const gs_names averages = {"by", GS_NAMES("mean", "median", ), NULL};
static const gs_names launches = {"launch", GS_NAMES("graph", "eager", ), NULL};
static const gs_names lacks = {"lacks", GS_NAMES(GS_TIMING_LACK_LIST(LACK_NAME)), NULL};

/* ---- scalars and lists of them ---- */

#define ANY_SIZE .min = -INFINITY, .max = INFINITY
#define AT_LEAST(number) .min = (number), .max = INFINITY

static const gs_json_shape number = {.kind = GS_SHAPE_NUMBER, ANY_SIZE};
static const gs_json_shape number_or_null = {.kind = GS_SHAPE_NUMBER, .null = true, ANY_SIZE};
static const gs_json_shape positive = {.kind = GS_SHAPE_NUMBER, AT_LEAST(0), .above = true};
static const gs_json_shape positive_or_null = {
    .kind = GS_SHAPE_NUMBER, .null = true, AT_LEAST(0), .above = true};
static const gs_json_shape not_negative = {.kind = GS_SHAPE_NUMBER, AT_LEAST(0)};
static const gs_json_shape not_negative_or_null = {
    .kind = GS_SHAPE_NUMBER, .null = true, AT_LEAST(0)};
static const gs_json_shape from_one = {.kind = GS_SHAPE_NUMBER, AT_LEAST(1)};
static const gs_json_shape from_two = {.kind = GS_SHAPE_NUMBER, AT_LEAST(2)};
static const gs_json_shape share = {.kind = GS_SHAPE_NUMBER, .min = 0, .max = 1};
static const gs_json_shape share_or_null = {
    .kind = GS_SHAPE_NUMBER, .null = true, .min = 0, .max = 1};
static const gs_json_shape confidence = {
    .kind = GS_SHAPE_NUMBER, .min = 0, .max = 1, .above = true};
static const gs_json_shape integer_or_null = {.kind = GS_SHAPE_INTEGER, .null = true, ANY_SIZE};
static const gs_json_shape count = {.kind = GS_SHAPE_INTEGER, AT_LEAST(0)};
static const gs_json_shape size = {.kind = GS_SHAPE_INTEGER, AT_LEAST(1)};
static const gs_json_shape size_or_null = {.kind = GS_SHAPE_INTEGER, .null = true, AT_LEAST(1)};
static const gs_json_shape sign_or_null = {
    .kind = GS_SHAPE_INTEGER, .null = true, .min = -1, .max = 1};
static const gs_json_shape bin = {.kind = GS_SHAPE_INTEGER, ANY_SIZE, .not_minus_one = true};
static const gs_json_shape boolean = {.kind = GS_SHAPE_BOOLEAN};
static const gs_json_shape text = {.kind = GS_SHAPE_TEXT};
static const gs_json_shape some_text = {.kind = GS_SHAPE_TEXT, .not_empty = true};
static const gs_json_shape text_or_null = {.kind = GS_SHAPE_TEXT, .null = true, .not_empty = true};
static const gs_json_shape digits = {.kind = GS_SHAPE_TEXT, .hex_digits = 16};
static const gs_json_shape sha256 = {.kind = GS_SHAPE_TEXT, .hex_digits = 64};
static const gs_json_shape class = {.kind = GS_SHAPE_TEXT, .names = &classes};
static const gs_json_shape verdict = {.kind = GS_SHAPE_TEXT, .names = &gs_verdict_names};
static const gs_json_shape verdict_or_null = {
    .kind = GS_SHAPE_TEXT, .null = true, .names = &gs_verdict_names};
static const gs_json_shape dead_law = {.kind = GS_SHAPE_TEXT, .names = &gs_dead_law_names};
static const gs_json_shape status = {.kind = GS_SHAPE_TEXT, .names = &statuses};
static const gs_json_shape backend_name = {.kind = GS_SHAPE_TEXT, .names = &backends};

static const gs_json_shape numbers = {.kind = GS_SHAPE_LIST, .each = &number_or_null};
static const gs_json_shape counts = {.kind = GS_SHAPE_LIST, .each = &count};
static const gs_json_shape shares = {.kind = GS_SHAPE_LIST, .each = &share_or_null};
static const gs_json_shape indices = {.kind = GS_SHAPE_LIST, .each = &size, .fewest = 1};
static const gs_json_shape points = {.kind = GS_SHAPE_LIST, .each = &count, .fewest = 1};
static const gs_json_shape verdict_list = {
    .kind = GS_SHAPE_LIST, .each = &verdict, .fewest = 1, .unique = true};

/* ---- objects ---- */

#define OBJECT(table)                                                                              \
  { GS_SHAPE_OBJECT, .fields = (table) }
#define ALIGNED(table)                                                                             \
  { GS_SHAPE_OBJECT, .fields = (table), .aligned = true }
#define END                                                                                        \
  { NULL, NULL, false, GS_KEEP_NONE }
#define HAS(name, shape)                                                                           \
  { name, &(shape), false, GS_KEEP_NONE }
#define MAY(name, shape)                                                                           \
  { name, &(shape), true, GS_KEEP_NONE }
/* what outcomes are made of (record.c) */
#define READ(name, shape)                                                                          \
  { name, &(shape), false, GS_KEEP_SOME }
#define MAY_READ(name, shape)                                                                      \
  { name, &(shape), true, GS_KEEP_SOME }

static const gs_shape_field backend_fields[] = {HAS("name", backend_name), HAS("device", text),
                                                HAS("threads", count), END};
static const gs_json_shape backend = OBJECT(backend_fields);

static const gs_shape_field memory_fields[] = {
    HAS("predicted_bytes", count), HAS("weights_bytes", count),
    HAS("data_bytes", count),      HAS("activations_bytes", count),
    HAS("gradients_bytes", count), HAS("statistics_bytes", count),
    HAS("workspace_bytes", count), END};
static const gs_json_shape memory = OBJECT(memory_fields);

static const gs_shape_field cost_fields[] = {HAS("flops", not_negative),
                                             HAS("bytes", not_negative),
                                             HAS("dependent", from_two),
                                             HAS("barriers", not_negative),
                                             HAS("launches", from_one),
                                             HAS("samples", positive),
                                             END};
static const gs_json_shape cost = OBJECT(cost_fields);

static const gs_json_shape bias = {.kind = GS_SHAPE_TEXT, .names = &biases};

/* ---- layers ---- */

#define SAMPLE_FIELDS(shape)                                                                       \
  HAS("mean", shape), HAS("sd", shape), HAS("p05", shape), HAS("p50", shape), HAS("p95", shape)

static const gs_shape_field norm_fields[] = {SAMPLE_FIELDS(numbers), HAS("finite", counts),
                                             HAS("zero", counts), HAS("not_finite", counts), END};
static const gs_json_shape norm = OBJECT(norm_fields);

static const gs_shape_field losses_fields[] = {HAS("zero", shares), HAS("subnormal", shares),
                                               HAS("inf", shares), END};
static const gs_json_shape losses = OBJECT(losses_fields);
#define FORMAT_LOSSES(constant, name, ...) HAS(name, losses),
static const gs_shape_field kept_fields[] = {GS_FORMAT_LIST(FORMAT_LOSSES) END};
static const gs_json_shape kept = OBJECT(kept_fields);

static const gs_json_shape bins = {.kind = GS_SHAPE_LIST, .each = &bin};
static const gs_json_shape bin_lists = {.kind = GS_SHAPE_LIST, .each = &bins};
static const gs_json_shape exponents = {.kind = GS_SHAPE_LIST, .each = &integer_or_null};
static const gs_shape_field histogram_fields[] = {HAS("first_exponent", exponents),
                                                  HAS("counts", bin_lists), END};
static const gs_json_shape histogram = OBJECT(histogram_fields);

#define QUANTITY_FIELDS                                                                            \
  HAS("index", points), HAS("log10_norm", norm), HAS("log10_max", numbers),                        \
      HAS("log10_min", numbers), HAS("zero_share", shares), HAS("subnormal_share", shares),        \
      HAS("nan", counts), HAS("inf", counts), MAY("saturated_share", shares),                      \
      MAY("dead_share", shares)
static const gs_shape_field norms_fields[] = {QUANTITY_FIELDS, END};
static const gs_json_shape norms = ALIGNED(norms_fields);
static const gs_shape_field full_fields[] = {QUANTITY_FIELDS, HAS("kept", kept),
                                             HAS("histogram", histogram), END};
static const gs_json_shape full = ALIGNED(full_fields);

#define LAYERS_FIELDS(shape)                                                                       \
  HAS("activation", shape), HAS("delta", shape), HAS("grad_weight", shape),                        \
      MAY("grad_bias", shape), MAY("grad_input_weight", shape), MAY("stream", shape),              \
      MAY("grad_stream", shape)
static const gs_shape_field layers_norms_fields[] = {LAYERS_FIELDS(norms), END};
static const gs_json_shape layers_norms = OBJECT(layers_norms_fields);
static const gs_shape_field layers_full_fields[] = {LAYERS_FIELDS(full), END};
static const gs_json_shape layers_full = OBJECT(layers_full_fields);

/* ---- summary ---- */

static const gs_json_shape class_list = {.kind = GS_SHAPE_LIST, .each = &class};
static const gs_shape_field class_fields[] = {READ("p05", class), READ("p50", class),
                                              READ("p95", class), MAY("values", class_list), END};
static const gs_json_shape quantile_classes = OBJECT(class_fields);

static const gs_shape_field decades_fields[] = {HAS("mean", number_or_null),
                                                HAS("sd", number_or_null),
                                                READ("p05", number_or_null),
                                                READ("p50", number_or_null),
                                                READ("p95", number_or_null),
                                                HAS("finite", count),
                                                HAS("dead", count),
                                                HAS("not_finite", count),
                                                READ("class", quantile_classes),
                                                HAS("values", numbers),
                                                END};
static const gs_json_shape decades = OBJECT(decades_fields);

static const gs_shape_field per_layer_fields[] = {
    HAS("mean", number_or_null), HAS("sd", number_or_null),  HAS("p05", number_or_null),
    READ("p50", number_or_null), HAS("p95", number_or_null), END};
static const gs_json_shape per_layer = OBJECT(per_layer_fields);

static const gs_shape_field share_fields[] = {HAS("count", count), READ("share", share),
                                              HAS("low", share), HAS("high", share), END};
static const gs_json_shape share_of_law = OBJECT(share_fields);

static const gs_shape_field law_fields[] = {HAS("confidence", confidence),
                                            READ("dead", share_of_law),
                                            READ("not_finite", share_of_law),
                                            MAY("below", share_of_law),
                                            MAY("above", share_of_law),
                                            MAY("verdicts", verdict_list),
                                            END};
static const gs_json_shape law = OBJECT(law_fields);

#define FORMAT_LOST(constant, name, ...) READ(name, size_or_null),
static const gs_shape_field lost_fields[] = {GS_FORMAT_LIST(FORMAT_LOST) END};
static const gs_json_shape lost = OBJECT(lost_fields);
static const gs_shape_field first_lost_fields[] = {MAY("activation", lost), MAY_READ("delta", lost),
                                                   MAY("grad_weight", lost), END};
static const gs_json_shape first_lost = OBJECT(first_lost_fields);
static const gs_shape_field run_lost_fields[] = {HAS("activation", size_or_null),
                                                 HAS("delta", size_or_null),
                                                 HAS("grad_weight", size_or_null), END};
static const gs_json_shape run_lost = OBJECT(run_lost_fields);

static const gs_json_shape signs = {.kind = GS_SHAPE_LIST, .each = &sign_or_null};
static const gs_shape_field loss_fields[] = {HAS("sign", signs), HAS("log10_abs", numbers), END};
static const gs_json_shape loss = ALIGNED(loss_fields);

static const gs_shape_field summary_fields[] = {READ("decades", decades),
                                                READ("decades_per_layer", per_layer),
                                                READ("verdict", verdict_or_null),
                                                READ("law", law),
                                                HAS("threshold_decades", not_negative),
                                                READ("first_layer_lost", first_lost),
                                                MAY("first_layer_lost_by_run", run_lost),
                                                HAS("loss", loss),
                                                END};
static const gs_json_shape summary = OBJECT(summary_fields);

/* ---- theory ---- */

static const gs_shape_field predicted_fields[] = {
    HAS("rms", number_or_null), HAS("typical", number_or_null), HAS("sd", number_or_null),
    HAS("dead", share), END};
static const gs_json_shape predicted = OBJECT(predicted_fields);
static const gs_shape_field recurrent_fields[] = {
    HAS("steepest", number), HAS("singular", number_or_null),
    HAS("spectral_radius", number_or_null), HAS("must_vanish", boolean), END};
static const gs_json_shape recurrent = OBJECT(recurrent_fields);
static const gs_shape_field series_fields[] = {HAS("index", counts),    HAS("rms", numbers),
                                               HAS("typical", numbers), HAS("sd", numbers),
                                               HAS("dead", numbers),    END};
static const gs_json_shape series = ALIGNED(series_fields);
static const gs_shape_field series_list_fields[] = {LAYERS_FIELDS(series), END};
static const gs_json_shape series_list = OBJECT(series_list_fields);

static const gs_json_shape validity = {.kind = GS_SHAPE_TEXT, .names = &gs_validity_names};
static const gs_json_shape reason = {.kind = GS_SHAPE_TEXT, .names = &gs_reason_names};
static const gs_json_shape reason_list = {.kind = GS_SHAPE_LIST, .each = &reason, .unique = true};
static const gs_shape_field theory_fields[] = {HAS("decades", predicted),
                                               HAS("dead_law", dead_law),
                                               HAS("depth_scale", number_or_null),
                                               HAS("validity", validity),
                                               HAS("reasons", reason_list),
                                               MAY("recurrent", recurrent),
                                               HAS("index", counts),
                                               HAS("log10_q", numbers),
                                               HAS("log10_chi", numbers),
                                               HAS("layers", series_list),
                                               END};
static const gs_json_shape theory = OBJECT(theory_fields);

/* ---- agreement ---- */

static const gs_shape_field deaths_fields[] = {HAS("expected_share", share),
                                               HAS("expected", not_negative),
                                               HAS("measured", count),
                                               HAS("z", number_or_null),
                                               HAS("p", share),
                                               END};
static const gs_json_shape deaths = OBJECT(deaths_fields);
static const gs_json_shape average = {.kind = GS_SHAPE_TEXT, .names = &averages};
static const gs_shape_field judged_fields[] = {HAS("by", average),
                                               HAS("measured", number_or_null),
                                               HAS("difference", number_or_null),
                                               HAS("standard_error", number_or_null),
                                               READ("z", number_or_null),
                                               HAS("allowance", number_or_null),
                                               HAS("sd_ratio", number_or_null),
                                               HAS("in_band", share_or_null),
                                               HAS("dead", deaths),
                                               END};
static const gs_json_shape judged = OBJECT(judged_fields);
static const gs_shape_field worst_fields[] = {HAS("index", size),
                                              HAS("difference", number_or_null),
                                              HAS("standard_error", number_or_null),
                                              HAS("z", number_or_null),
                                              HAS("allowance", number_or_null),
                                              HAS("dead", deaths),
                                              END};
static const gs_json_shape worst = OBJECT(worst_fields);
static const gs_shape_field worst_list_fields[] = {
    MAY("activation", worst),        MAY("delta", worst),
    MAY("grad_weight", worst),       MAY("grad_bias", worst),
    MAY("grad_input_weight", worst), MAY("stream", worst),
    MAY("grad_stream", worst),       END};
static const gs_json_shape worst_list = OBJECT(worst_list_fields);
static const gs_json_shape agreement_verdict = {.kind = GS_SHAPE_TEXT,
                                                .names = &gs_agreement_names};
static const gs_shape_field agreement_fields[] = {
    READ("verdict", agreement_verdict), READ("message", text),
    HAS("dead_law", dead_law),          READ("decades", judged),
    HAS("layers", worst_list),          END};
static const gs_json_shape agreement = OBJECT(agreement_fields);

/* ---- Jacobians ---- */

static const gs_shape_field values_fields[] = {SAMPLE_FIELDS(numbers), HAS("finite", counts),
                                               HAS("not_finite", counts), END};
static const gs_json_shape values = OBJECT(values_fields);
static const gs_shape_field factors_fields[] = {HAS("index", indices),   HAS("mean", values),
                                                HAS("rms", values),      HAS("largest", values),
                                                HAS("smallest", values), END};
static const gs_json_shape factors = ALIGNED(factors_fields);
static const gs_shape_field logarithm_fields[] = {
    READ("mean", number_or_null), HAS("sd", number_or_null),  HAS("p05", number_or_null),
    HAS("p50", number_or_null),   HAS("p95", number_or_null), HAS("finite", count),
    HAS("zero", count),           READ("not_finite", count),  END};
static const gs_json_shape logarithms = OBJECT(logarithm_fields);
static const gs_shape_field whole_fields[] = {
    HAS("log10_mean", logarithms), READ("log10_rms", logarithms), READ("log10_largest", logarithms),
    READ("log10_smallest", logarithms), END};
static const gs_json_shape whole = OBJECT(whole_fields);
static const gs_shape_field exponent_fields[] = {
    READ("mean", numbers), HAS("sd", numbers),         HAS("p05", numbers),
    HAS("p50", numbers),   HAS("p95", numbers),        HAS("finite", counts),
    HAS("zero", counts),   READ("not_finite", counts), END};
static const gs_json_shape exponent = OBJECT(exponent_fields);
static const gs_shape_field lyapunov_fields[] = {HAS("index", indices), READ("exponent", exponent),
                                                 END};
static const gs_json_shape lyapunov = ALIGNED(lyapunov_fields);
static const gs_shape_field jacobian_fields[] = {HAS("layers", factors), READ("end_to_end", whole),
                                                 READ("lyapunov", lyapunov), END};
static const gs_json_shape jacobian = OBJECT(jacobian_fields);

/* ---- timing ---- */

static const gs_json_shape launch = {.kind = GS_SHAPE_TEXT, .names = &launches};
static const gs_json_shape stop = {.kind = GS_SHAPE_TEXT, .names = &gs_timing_stop_names};
static const gs_json_shape lack = {.kind = GS_SHAPE_TEXT, .names = &lacks};
static const gs_json_shape lack_list = {.kind = GS_SHAPE_LIST, .each = &lack, .unique = true};
static const gs_shape_field timing_round_fields[] = {HAS("round", count),
                                                     HAS("samples", size),
                                                     HAS("median_ns", positive),
                                                     HAS("stopped", stop),
                                                     HAS("lacks", lack_list),
                                                     HAS("disturbed", count),
                                                     HAS("wall_ns", not_negative),
                                                     HAS("held_up_ns", not_negative_or_null),
                                                     HAS("involuntary_switches", count),
                                                     END};
static const gs_json_shape timing_round = OBJECT(timing_round_fields);
static const gs_json_shape timing_rounds = {
    .kind = GS_SHAPE_LIST, .each = &timing_round, .fewest = 1};
static const gs_json_shape samples = {.kind = GS_SHAPE_LIST, .each = &positive, .fewest = 1};
static const gs_json_shape sample_rounds = {.kind = GS_SHAPE_LIST, .each = &count, .fewest = 1};
static const gs_json_shape interval = {
    .kind = GS_SHAPE_LIST, .null = true, .each = &positive, .fewest = 2};
static const gs_shape_field timing_fields[] = {HAS("launch", launch),
                                               HAS("steps_per_sample", size),
                                               HAS("samples_ns", samples),
                                               HAS("sample_round", sample_rounds),
                                               HAS("disturbed_samples", counts),
                                               HAS("rounds", timing_rounds),
                                               HAS("stopped", stop),
                                               HAS("lacks", lack_list),
                                               HAS("disturbed", count),
                                               HAS("held_up_share", share_or_null),
                                               HAS("machine_busy", boolean),
                                               HAS("median_ns", positive),
                                               HAS("median_interval_ns", interval),
                                               HAS("p5_ns", positive),
                                               HAS("p95_ns", positive),
                                               HAS("noise", not_negative_or_null),
                                               HAS("samples_per_s", positive),
                                               HAS("flops_per_s", not_negative),
                                               HAS("bytes_per_s", not_negative),
                                               END};
static const gs_json_shape timing = OBJECT(timing_fields);
#define TIMING                                                                                     \
  { "timing", &timing, true, GS_KEEP_ALL }

/* ---- records ---- */

/* One row for each of gs_record_field; LAYERS where nothing is measured stays away. */
#define RECORD_FIELDS(layers, layers_shape)                                                        \
  READ("status", status), READ("error", text_or_null), HAS("backend", backend),                    \
      MAY("memory", memory), MAY("cost", cost), MAY("bias", bias), MAY("weights_hash", digits),    \
      MAY(layers, layers_shape), MAY_READ("summary", summary), MAY("theory", theory),              \
      MAY_READ("agreement", agreement), MAY_READ("jacobian", jacobian), MAY("digest", sha256),     \
      TIMING, END
static const gs_shape_field record_norms_fields[] = {RECORD_FIELDS("layers", layers_norms)};
static const gs_shape_field record_full_fields[] = {RECORD_FIELDS("layers", layers_full)};
static const gs_json_shape record_norms = OBJECT(record_norms_fields);
static const gs_json_shape record_full = OBJECT(record_full_fields);

const gs_json_shape *gs_record_shape(gs_stats_level stats) {
  return stats == GS_STATS_FULL ? &record_full : &record_norms;
}

static const gs_shape_field round_fields[] = {READ("id", digits),
                                              READ("round", size),
                                              READ("status", status),
                                              READ("error", text_or_null),
                                              TIMING,
                                              END};
const gs_json_shape gs_round_shape = OBJECT(round_fields);

/* ---- devices ---- */

static const gs_shape_field roofline_fields[] = {HAS("flops_per_s_f32", positive),
                                                 HAS("flops_per_s_f64", positive_or_null),
                                                 HAS("flops_per_s_tf32", positive_or_null),
                                                 HAS("flops_per_s_bf16", positive_or_null),
                                                 HAS("flops_per_s_f16", positive_or_null),
                                                 HAS("copy_bytes_per_s", positive),
                                                 HAS("launch_ns", not_negative),
                                                 HAS("block_barrier_ns", positive_or_null),
                                                 HAS("cluster_hop_ns", positive_or_null),
                                                 HAS("cluster_barrier_ns", positive_or_null),
                                                 HAS("grid_barrier_ns", positive_or_null),
                                                 END};
const gs_json_shape gs_roofline_shape = OBJECT(roofline_fields);
static const gs_shape_field roofline_entry_fields[] = {
    HAS("date", text), HAS("elapsed_s", not_negative), HAS("limits", gs_roofline_shape), END};
static const gs_json_shape roofline_entry = OBJECT(roofline_entry_fields);
static const gs_shape_field roofline_line_fields[] = {HAS("floor", roofline_entry), END};
const gs_json_shape gs_roofline_line_shape = OBJECT(roofline_line_fields);

static const gs_json_shape dtype = {.kind = GS_SHAPE_TEXT, .names = &gs_dtype_names};
static const gs_json_shape dtypes = {.kind = GS_SHAPE_LIST, .each = &dtype, .unique = true};
static const gs_shape_field device_fields[] = {
    HAS("backend", backend_name), HAS("name", text),
    MAY("uuid", some_text),       MAY("pci", some_text),
    MAY("capability", some_text), MAY("multiprocessors", size),
    MAY("driver", some_text),     HAS("threads", count),
    HAS("memory_bytes", count),   HAS("dtypes", dtypes),
    HAS("graphs", boolean),       HAS("persistent", boolean),
    HAS("libraries", text),       END};
const gs_json_shape gs_device_shape = OBJECT(device_fields);
