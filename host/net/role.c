/* See role.h. */
#include "net/role.h"

#include <stddef.h>

#define ROLE_MEMORY(constant, memory, quantity) memory,
#define ROLE_QUANTITY(constant, memory, quantity) quantity,

gs_memory gs_role_memory(gs_role role) {
  static const gs_memory memories[] = {GS_ROLE_LIST(ROLE_MEMORY)};
  return memories[role];
}

gs_quantity gs_role_quantity(gs_role role) {
  static const gs_quantity quantities[] = {GS_ROLE_LIST(ROLE_QUANTITY)};
  return quantities[role];
}

const gs_names gs_quantity_names = {"quantity", GS_NAMES(GS_QUANTITY_LIST(GS_ROW_NAME)), NULL};
