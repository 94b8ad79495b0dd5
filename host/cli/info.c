/* gradsweep info: this build, the device a run would use, and its limits. */
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "sweep/interrupt.h"
#include "sweep/session.h"
#include "sweep/text.h"

static const char *text_of(const cJSON *object, const char *key) {
  const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));
  return text ? text : "unknown";
}

static double number_of(const cJSON *object, const char *key) {
  const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
  return cJSON_IsNumber(item) ? item->valuedouble : 0;
}

static gs_status show(gs_session *session, gs_error *error) {
  char texts[4][GS_NUMBER_BYTES];
  gs_floor floor;
  cJSON *tree = NULL;
  GS_TRY(gs_session_floor(session, &tree, error));
  if (session->interrupted) return GS_OK;
  (void)gs_session_read_floor(tree, &floor); /* has been checked */
  cJSON_Delete(tree);
  const cJSON *device = session->device;
  gs_version_print(stdout);
  printf("backend    %s\n", text_of(device, "backend"));
  printf("device     %s\n", text_of(device, "name"));
  if (number_of(device, "threads") > 0) printf("threads    %.0f\n", number_of(device, "threads"));
  printf("memory     %s for a cell\n", gs_text_bytes(number_of(device, "memory_bytes"), texts[0]));
  printf("libraries  %s\n", text_of(device, "libraries"));
  printf("limits     %s (f32), %s (f64), %s (copy), measured now\n",
         gs_text_rate(floor.flops_per_s[GS_F32], "FLOP/s", texts[1]),
         gs_text_rate(floor.flops_per_s[GS_F64], "FLOP/s", texts[2]),
         gs_text_rate(floor.copy_bytes_per_s, "B/s", texts[3]));
  return GS_OK;
}

gs_status gs_command_info(int argc, char **argv, int *code, gs_error *error) {
  if (argc > 1) {
    return GS_FAIL(error, GS_ERR_USAGE, "gradsweep info takes no arguments, not '%s'", argv[1]);
  }
  const gs_process_options options = {
      .backend = GS_BACKEND_AUTO, .device = "auto", .interrupt = gs_interrupt_open()};
  gs_session session;
  gs_status status = gs_session_open(&session, &options, error);
  if (status == GS_OK && !session.interrupted) status = show(&session, error);
  if (session.interrupted) *code = GS_EXIT_SIGNAL + gs_interrupt_take(options.interrupt);
  gs_session_close(&session);
  return status;
}
