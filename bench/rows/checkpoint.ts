import { judge, type Row } from '../harness/row.js';
import { checkpointCost, type CheckpointCost } from '../variants/checkpointCost.js';

/**
 * Counts, not times: one run is exact, in any process, on a busy machine, too.
 *
 * `requestsSpread` leaves out the PUT of the journal: tails of up to 64 KiB are in the manifest and need none.
 * `bytesPerDirtyByte` is what a segment has for a byte of entries, at 1,000 dirty keys and more: below, the segment's
 * footer, a few hundred bytes, is all there is. Journals and manifests depend on open files, not on keys.
 */
export const checkpoint: Row = {
  name: 'checkpoint',
  title:
    'requests and bytes of one checkpoint, 10 to 100,000 dirty keys, 1 to 5,000 open files (exact counts)',
  run({ quick, progress }) {
    const costs: CheckpointCost[] = [];
    for (const dirty of quick ? [10, 1000] : [10, 100, 1000, 10_000, 100_000])
      for (const files of quick ? [1, 100] : [1, 10, 100, 1000, 5000]) {
        progress(`checkpoint: ${dirty} dirty keys, ${files} open files`);
        costs.push(checkpointCost(dirty, files));
      }
    const metrics: Record<string, number> = {};
    for (const cost of costs) {
      const name = `${cost.dirty}keys${cost.files}files`;
      metrics[`${name}.requests`] = cost.requests;
      metrics[`${name}.segmentBytes`] = cost.segmentBytes;
      metrics[`${name}.entryBytes`] = cost.entryBytes;
      metrics[`${name}.journalBytes`] = cost.journalBytes;
      metrics[`${name}.tailBytes`] = cost.tailBytes;
      metrics[`${name}.manifestBytes`] = cost.manifestBytes;
    }
    const requests = costs.map((cost) => cost.requests - (cost.byKind['put journal'] ?? 0));
    const large = costs.filter((cost) => cost.dirty >= 1000);
    metrics['requests'] = Math.max(...costs.map((cost) => cost.requests));
    metrics['requestsSpread'] = Math.max(...requests) - Math.min(...requests);
    metrics['bytesPerDirtyByte'] = Math.max(...large.map((cost) => cost.segmentBytes / cost.entryBytes));
    metrics['journalBytesPerTailByte'] = Math.max(...large.map((cost) => cost.journalBytes / cost.tailBytes));
    metrics['manifestBytesPerOpenFile'] = Math.max(
      ...costs.filter((cost) => cost.files >= 100).map((cost) => cost.manifestBytes / cost.files),
    );
    return Promise.resolve({
      name: 'checkpoint',
      metrics,
      goals: judge(
        [
          { metric: 'requestsSpread', goal: 0, is: 'at most' },
          { metric: 'bytesPerDirtyByte', goal: 1.2, is: 'at most' },
        ],
        metrics,
      ),
    });
  },
};
