import { createJob, fileSink, files, keyed, ndjson, valueState, watermarks, type RunResult } from 'millrace';

interface Order {
  readonly id: string;
  readonly at: string;
}

/** Copies orders, without repetitions within a day. */
export function oncePerDay(): Promise<RunResult> {
  const job = createJob({
    name: 'orders',
    checkpoints: { dir: 'memory://shop/checkpoints', interval: '10s' },
  });
  const orders = job.source('raw', files('memory://shop/raw/', { format: ndjson<Order>() })).pipe(
    watermarks('time', { timestamp: ({ at }) => new Date(at) }),
    keyed('once', {
      key: ({ id }) => id,
      state: { seen: valueState(false, { ttl: { after: '1d', time: 'event' } }) },
      onRecord: (order, { seen }) => {
        if (seen.value) return [];
        seen.set(true);
        return [order];
      },
    }),
    fileSink('out', 'memory://shop/orders', { format: ndjson() }),
  );
  return job.run(orders);
}
