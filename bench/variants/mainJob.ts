import { createJob, fileSink, files, keyed, ndjson, records, valueState } from 'millrace';
import { randomUUID } from 'node:crypto';
import { filter, map } from 'rxjs';
import type { WebEvent } from '../../examples/main-job/generate.js';
import { s3Client } from '../baselines/s3Client.js';
import type { Start } from '../harness/workload.js';
import { digestOfLines } from '../synthetic/lines.js';
import { storesOf } from './stores.js';

/**
 * The job of `examples/main-job/job.ts`. Params: the server, `bucket`, `input`, `work`, `events`, and optionally
 * `interval`, the time between checkpoints; without it there are only the first and the last.
 */
export const mainJob: Start = (params) => {
  const server = storesOf(params);
  const client = s3Client(params);
  const bucket = String(params['bucket']);
  return {
    async round() {
      const work = `${String(params['work'])}${randomUUID()}/`;
      const interval = params['interval'] as `${number}s` | undefined;
      const job = createJob({
        name: 'clicks',
        checkpoints: {
          dir: `s3://${bucket}/${work}checkpoints`,
          ...(interval === undefined ? {} : { interval }),
        },
        stores: server.stores,
      });
      let checkpoints = 0;
      job.events$.subscribe(({ type }) => {
        if (type === 'checkpoint-durable') checkpoints++;
      });
      const input = files(`s3://${bucket}/${String(params['input'])}**/*.ndjson*`, {
        format: ndjson<WebEvent>(),
      });
      const clicks = job.source('events', input).pipe(
        records(
          filter((event) => event.kind === 'click'),
          map(({ id, user, at }) => ({ id, user, day: at.slice(0, 10) })),
        ),
        keyed('per-user-and-day', {
          key: (click) => `${click.user} ${click.day}`,
          state: { clicks: valueState(0) },
          onRecord: ({ id, user, day }, { clicks }) => [
            { user, day, clicks: clicks.update((n) => n + 1), id },
          ],
        }),
        fileSink('out', `s3://${bucket}/${work}out`, {
          format: ndjson(),
          partitionBy: (count) => `day=${count.day}`,
        }),
      );
      await job.run(clicks);
      return {
        digest: () => digestOfLines(client, bucket, `${work}out/`),
        amount: Number(params['events']),
        extra: { checkpoints },
      };
    },
    close() {
      client.destroy();
      server.close();
      return Promise.resolve();
    },
  };
};
