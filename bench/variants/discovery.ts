/**
 * A continuous job over a bucket of many empty objects that is only listed: what it keeps, and what a round costs. Time is
 * simulated. Params: `objects`; `recent`: whether all are within the horizon.
 */
import { bytes, createJob, files, records, silentLogger } from 'millrace';
import { createStores, memoryStore, decorate, listAll, type ListPage } from 'millrace/stores';
import { SimulatedClock } from 'millrace/testing';
import { ignoreElements, lastValueFrom, of, toArray } from 'rxjs';
import type { Start } from '../harness/workload.js';

const page = 1000;
const hour = 3_600_000;

export const discovery: Start = (params) => {
  const count = Number(params['objects']);
  const clock = new SimulatedClock(1_700_000_000_000);
  const modified = clock.now() - (params['recent'] === true ? hour : 1000 * hour);
  const keyOf = (n: number): string => `in/2026/11/29/part-${String(n).padStart(9, '0')}-f00d.ndjson.gz`;
  let requests = 0;
  const listed = (from: number): ListPage => ({
    objects: Array.from({ length: Math.min(page, count - from) }, (_, i) => {
      const key = keyOf(from + i);
      return { key, size: 0, etag: `${key}-etag`, modified };
    }),
    prefixes: [],
    date: clock.now(),
    ...(from + page < count ? { cursor: String(from + page) } : {}),
  });
  const base = memoryStore('discovery');
  const store = {
    ...decorate(base, (_, run) => run),
    list: (options: Parameters<typeof base.list>[0]) => {
      if (options.prefix?.startsWith('in/') !== true) return base.list(options);
      requests++;
      return of(listed(Number(options.cursor ?? 0)));
    },
  };
  return {
    async round() {
      const stop = new AbortController();
      const job = createJob({
        name: 'discovery',
        checkpoints: { dir: 'memory://discovery/checkpoints', interval: '1m' },
        stores: createStores({ schemes: { memory: () => store }, clock }),
        clock,
        logger: silentLogger,
      });
      let read = 0;
      job.events$.subscribe((event) => {
        if (event.type === 'progress') read = event.read.objects;
      });
      const source = files('memory://discovery/in/', { format: bytes(), discover: { every: '10m' } });
      const run = job.run(job.source('in', source).pipe(records(ignoreElements())), {
        signal: stop.signal,
      });
      const turns = async (): Promise<void> => {
        for (let i = 0; i < 20; i++) await Promise.resolve();
      };
      globalThis.gc?.();
      const before = process.memoryUsage().heapUsed;
      for (let minute = 0; minute < 15; minute++) {
        clock.advance(60_000);
        await turns();
      }
      const first = requests;
      const cpu = process.cpuUsage();
      clock.advance(600_000);
      await turns();
      const { user, system } = process.cpuUsage(cpu);
      globalThis.gc?.();
      const heap = process.memoryUsage().heapUsed - before;
      const kept = (await lastValueFrom(listAll(base, 'checkpoints/discovery/log/').pipe(toArray()))).flat();
      stop.abort();
      clock.advance(600_000);
      await turns();
      clock.advance(600_000);
      await run;
      return {
        digest: String(read),
        amount: count,
        extra: {
          roundRequests: requests - first,
          roundCpuSeconds: (user + system) / 1e6,
          checkpointBytes: Math.max(...kept.map(({ size }) => size)),
          heapBytes: heap,
        },
      };
    },
  };
};
