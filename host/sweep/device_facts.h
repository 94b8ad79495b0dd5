/* Facts about a device, as JSON and for people: what it is, and how fast it was
 * measured to be. The worker writes them; the parent, which opens no device, and
 * the readers of results and journals have them from there. The fields are those
 * of results/README.md, context.device and context.floor. */
#ifndef GS_SWEEP_DEVICE_FACTS_H
#define GS_SWEEP_DEVICE_FACTS_H

#include <stdio.h>

#include "base/json.h"
#include "device/facts.h"

/* What ops->info says. A text that is empty and a number that means "no GPU" are
 * left out. NULL when out of memory; the caller owns it. */
cJSON *gs_device_facts(gs_device *device);

/* Whether two descriptions are of the same device, driven by the same driver and
 * libraries with as many threads. */
bool gs_device_facts_same(const cJSON *a, const cJSON *b);

/* The facts as files have them: without `uuid` and `pci`, which say which of all the
 * world's devices it is, unless `identify`. NULL when out of memory; the caller owns it. */
cJSON *gs_device_facts_public(const cJSON *facts, bool identify);

/* What a device is known by again whose UUID no file has: a hash of the UUID and of a
 * random number (`salt`), so that two files do not tell whether they are of one device.
 * JSON's null for a device without UUID; NULL when out of memory. The caller owns it. */
cJSON *gs_device_token(const cJSON *facts);

/* gs_device_facts_same for what a file has of an earlier device: its public facts and
 * its token. */
bool gs_device_facts_again(const cJSON *recorded, const cJSON *token, const cJSON *facts);

/* The roofline; a rate or latency that the device does not have is null. */
cJSON *gs_roofline_to_json(const gs_roofline *roofline);
/* The way back; false when it is not such a tree: a rate is missing or no
 * number > 0, or f32's or the copy's is null. */
bool gs_roofline_from_json(const cJSON *tree, gs_roofline *roofline);

/* Both as lines. Write errors show in the stream. */
void gs_device_facts_print(FILE *stream, const cJSON *device, const gs_roofline *roofline);

#endif
