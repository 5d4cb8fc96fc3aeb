import { judge, type Row } from '../harness/row.js';
import { checkpointCost, type CheckpointCost } from '../variants/checkpointCost.js';

/** Counts, not times: one run is exact, in whichever process, on however busy a machine. */
export const checkpoint: Row = {
  name: 'checkpoint',
  title:
    'requests and bytes of one checkpoint, 10 to 100,000 dirty keys, 1 to 1,000 open files (exact counts)',
  run({ quick, progress }) {
    const costs: CheckpointCost[] = [];
    for (const dirty of quick ? [10, 1000] : [10, 100, 1000, 10_000, 100_000])
      for (const files of quick ? [1, 10] : [1, 10, 100, 1000]) {
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
    const requests = costs.map((cost) => cost.requests);
    metrics['requests'] = Math.max(...requests);
    metrics['requestsSpread'] = Math.max(...requests) - Math.min(...requests);
    metrics['bytesPerDirtyByte'] = Math.max(
      ...costs.filter((cost) => cost.dirty >= 1000).map((cost) => cost.segmentBytes / cost.entryBytes),
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
