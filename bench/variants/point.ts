/**
 * A whole job leaves a large state: its values are numbers, which the serializer expands when a checkpoint is written.
 * Then keys are read from outside, and the bytes of all answers are counted. Params: `keys`.
 */
import { createJob, keyed, openState, valueState, type Serializer } from 'millrace';
import type { Source, SourceReader } from 'millrace/operators';
import { createStores, decorate, type ObjectBody } from 'millrace/stores';
import { lastValueFrom, tap } from 'rxjs';
import type { Start } from '../harness/workload.js';
import { slice } from '../synthetic/content.js';

/** Bytes of a stored value. */
export const valueBytes = 4096;

const expanded: Serializer<number> = {
  id: 'expanded',
  version: 1,
  encode(n) {
    const bytes = Buffer.from(slice(n * valueBytes, valueBytes)); // Hardly compresses.
    bytes.writeUInt32LE(n);
    return bytes;
  },
  decode: (bytes) => Buffer.from(bytes).readUInt32LE(),
};

const states = { count: valueState(0, { serializer: expanded }) };

export const pointReads: Start = async (params) => {
  const keys = Number(params['keys']);
  let requests = 0;
  let bytes = 0;
  const stores = createStores({
    around: (store) =>
      decorate(store, (_, run) =>
        run.pipe(
          tap((answer) => {
            requests++;
            for (const chunk of (answer as Partial<ObjectBody> | undefined)?.chunks ?? [])
              bytes += chunk.length;
          }),
        ),
      ),
  });
  const job = createJob({
    name: 'large',
    checkpoints: { dir: 'memory://bench/checkpoints', interval: '1h' },
    stores,
    restart: 'none',
  });
  await job.run(
    job.source('numbers', numbers(keys)).pipe(
      keyed('large', {
        key: (n) => `user-${n}`,
        state: states,
        onRecord: (n, { count }) => {
          count.set(n);
          return [];
        },
      }),
    ),
  );

  return {
    async round() {
      const found: (number | undefined)[] = [];
      const moved: { readonly requests: number; readonly bytes: number }[] = [];
      using state = openState('memory://bench/checkpoints/large', { states, stores });
      for (const n of [0.1, 0.3, 0.5, 0.7, 0.9].map((part) => Math.floor(part * keys))) {
        requests = 0;
        bytes = 0;
        found.push(await lastValueFrom(state.get('large', 'count', `user-${n}`)));
        moved.push({ requests, bytes });
      }
      const [operator] = [await lastValueFrom(state.operators())];
      const most = (of: 'requests' | 'bytes', some: typeof moved): number =>
        Math.max(...some.map((each) => each[of]));
      return {
        digest: found.join(),
        amount: operator.bytes,
        extra: {
          segments: operator.segments,
          firstRequests: most('requests', moved.slice(0, 1)),
          firstBytes: most('bytes', moved.slice(0, 1)),
          nextRequests: most('requests', moved.slice(1)),
          nextBytes: most('bytes', moved.slice(1)),
        },
      };
    },
  };
};

function numbers(end: number): Source<number> {
  return {
    description: `${end} numbers`,
    open({ position }): SourceReader<number> {
      let next = typeof position === 'number' ? position : 0;
      return {
        poll(out) {
          for (let i = 0; i < 1000 && next < end; i++) out.record(next++);
          return next < end ? 'more' : 'end';
        },
        position: () => next,
        get bytes() {
          return next;
        },
        close: () => undefined,
      };
    },
  };
}
