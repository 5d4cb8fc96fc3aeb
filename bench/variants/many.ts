/** A job with a number of open files at a time, none of which has a full part. */
import { createJob, fileSink, ndjson } from 'millrace';
import { createStores, S3Connection } from 'millrace/stores';
import type { Source } from 'millrace/operators';
import { createHash } from 'node:crypto';
import type { Start } from '../harness/workload.js';

/** Of the sink. It may take half as much again, for buffers to reuse and tails that are read back. */
export const budget = 64 << 20;

/** A peak that is higher by less than this does not count, so that not every look collects garbage. Bytes. */
const unseen = 1e6;

/** So many bytes of text for each record. */
const padding = 200;

/**
 * Params: the server, `bucket`, `files`, `records` for each. Extra, both beyond what there was before: `heldBytes`, the peak of memory in
 * buffers after a collection; `bufferBytes`, the peak with garbage that is not collected yet, as far as it grows between these collections.
 */
export const manyFiles: Start = (params) => {
  const [files, records] = [Number(params['files']), Number(params['records'])];
  const connection = new S3Connection({
    endpoint: String(params['endpoint']),
    region: 'us-east-1',
    proxy: 'none',
    credentials: {
      accessKeyId: String(params['accessKeyId']),
      secretAccessKey: String(params['secretAccessKey']),
    },
  });
  const stores = createStores({ schemes: { s3: (bucket) => connection.store(bucket) } });
  let round = 0;
  return {
    async round() {
      const prefix = `${files}-${++round}`;
      const uri = `s3://${String(params['bucket'])}/${prefix}`;
      const job = createJob({
        name: prefix,
        checkpoints: { dir: `${uri}/checkpoints`, interval: '1s' },
        stores,
      });
      const before = collected();
      let peak = 0;
      let held = 0;
      let checkpoints = 0;
      let published = 0;
      let stored = 0;
      const look = (): void => {
        const now = process.memoryUsage().arrayBuffers - before;
        peak = Math.max(peak, now);
        if (now > held + unseen) held = Math.max(held, collected() - before);
      };
      job.events$.subscribe((event) => {
        if (event.type === 'checkpoint-durable') checkpoints++;
        if (event.type !== 'committed') return;
        look();
        published++;
        stored += event.records;
      });
      await job.run(
        job.source('lines', spread(files, records, look)).pipe(
          fileSink('out', `${uri}/sink`, {
            format: ndjson(),
            partitionBy: ({ file }) => `file=${file}`,
            budget,
            roll: { size: '8GiB', age: '1h', inactivity: '1h' },
          }),
        ),
      );
      return {
        digest: `${stored} records`,
        amount: files * records,
        extra: { heldBytes: held, bufferBytes: peak, files: published, checkpoints },
      };
    },
    close() {
      connection.close();
      return Promise.resolve();
    },
  };
};

/** Bytes in buffers after a collection. The second one waits for what the first one frees in other threads. */
function collected(): number {
  globalThis.gc?.();
  globalThis.gc?.();
  return process.memoryUsage().arrayBuffers;
}

interface Padded {
  readonly file: number;
  readonly n: number;
  readonly text: string;
}

const text = createHash('shake256', { outputLength: padding / 2 })
  .update('many')
  .digest('hex');

/** `records` for each file, in turn. `look` is called now and then. */
function spread(files: number, records: number, look: () => void): Source<Padded> {
  return {
    description: `records for ${files} files`,
    open({ position }) {
      const from = typeof position === 'number' ? position : 0;
      let next = from;
      return {
        poll(out) {
          look();
          for (const end = Math.min(files * records, next + 500); next < end; next++)
            out.record({ file: next % files, n: next, text });
          return next < files * records ? 'more' : 'end';
        },
        position: () => next,
        get bytes() {
          return (next - from) * padding;
        },
        close: () => undefined,
      };
    },
  };
}
