// Clusters: blocks that meet and that reach each other's shared memory.
#include "block.h"
#include "device.h"
#include "die.h"
#include "pretended_device.h"

namespace gs_sim {
namespace {

// Of the cluster that is running; both even out at the end of every barrier.
unsigned arrived;
unsigned phases;
// Of every other phase: nobody leaves one when others come to the next but one. Never
// destroyed, as blocks are not.
SyncPoint *const edges = new SyncPoint[2];

// One thread of each block: waits for those of the others.
void arrive_and_wait() {
  const unsigned phase = phases;
  if (++arrived == cluster_size()) {
    arrived = 0;
    phases++;
    progress++;
  }
  while (phases == phase) spin_pause();
}

} // namespace

void cluster_barrier(Site site) {
  if (cluster_size() == 0) die("%s:%d: this launch has no clusters", site.file, site.line);
  if (pretended_ptx() < 90)
    die("%s:%d: compiled for %d, which has no clusters", site.file, site.line, pretended_ptx());
  SyncPoint &edge = edges[phases % 2];
  edge.release();
  block_barrier(site);
  if (current->number == 0) arrive_and_wait();
  block_barrier(site);
  edge.acquire();
}

void *cluster_shared(const void *shared, unsigned block) {
  if (block >= cluster_size()) die("a cluster of %u blocks has no block %u", cluster_size(), block);
  void *there = current->block->shared.same_place(shared, cluster_block(block).shared);
  if (there == nullptr) die("block %u of the cluster has no such shared memory (yet)", block);
  return there;
}

} // namespace gs_sim
