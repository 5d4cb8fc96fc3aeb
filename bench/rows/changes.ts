import { judge, type Row } from '../harness/row.js';
import { changedEntries, requestsOf } from '../variants/changes.js';

/**
 * Counts, not times: one run is exact. What the kinds of state write, without manifests and sinks, which `checkpoint`
 * counts.
 */
export const changes: Row = {
  name: 'changes',
  title:
    'bytes for one entry changed in each of 1,000 collections of 10,000; requests for 10 to 1 M dirty cells (exact counts)',
  async run({ quick, progress }) {
    const metrics: Record<string, number> = {};
    const [collections, size] = quick ? [1000, 10] : [1000, 10_000];
    for (const kind of ['map', 'list'] as const) {
      progress(`changes: bytes of ${kind}`);
      const { bytes, serialized } = await changedEntries(kind, collections, size);
      metrics[`${kind}.bytes`] = bytes;
      metrics[`${kind}.serialized`] = serialized;
      metrics[`${kind}.ratio`] = bytes / serialized;
    }
    const dirty = quick ? [10, 1000] : [10, 1000, 100_000, 1_000_000];
    let spread = 0;
    for (const kind of ['values', 'map', 'timers'] as const) {
      const requests: number[] = [];
      for (const cells of dirty) {
        progress(`changes: requests for ${cells} cells, ${kind}`);
        const cost = await requestsOf(kind, cells);
        metrics[`${kind}${cells}.requests`] = cost.requests;
        metrics[`${kind}${cells}.sent`] = cost.bytes;
        requests.push(cost.requests);
      }
      spread = Math.max(spread, Math.max(...requests) - Math.min(...requests));
    }
    metrics['requestsSpread'] = spread;
    return {
      name: 'changes',
      metrics,
      goals: judge(
        [
          { metric: 'map.ratio', goal: 1.2, is: 'at most' },
          { metric: 'list.ratio', goal: 1.2, is: 'at most' },
          { metric: 'requestsSpread', goal: 0, is: 'at most' },
        ],
        metrics,
      ),
    };
  },
};
