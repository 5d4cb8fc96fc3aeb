import { createJob, fileSink, files, ndjson, silentLogger, type Flow, type JobEvent } from 'millrace';
import { createMemoryStore, createStores, listAll, type ObjectStore } from 'millrace/stores';
import { crashAt, delayed, SimulatedClock } from 'millrace/testing';

/** A lake with a file for each record, so that checkpoints come between them. */
export function createLake(records: readonly object[]): ObjectStore {
  const lake = createMemoryStore({ uri: 'memory://lake' });
  records.forEach((record, i) => {
    const body = Buffer.from(`${JSON.stringify(record)}\n`);
    lake.put(`in/${String(i).padStart(2, '0')}.ndjson`, body).subscribe();
  });
  return lake;
}

/** Runs a job with this operator on the lake, until it is over or dies at its n-th request. */
export function runUntil<A extends object, B extends object>(
  lake: ObjectStore,
  n: number,
  operator: (source: Flow<A>) => Flow<B>,
): readonly JobEvent[] {
  const clock = new SimulatedClock();
  const process = crashAt(delayed(lake, { clock, before: () => 300 }), n, 'after');
  const job = createJob({
    name: 'example',
    checkpoints: { dir: 'memory://lake/checkpoints', interval: '200ms' },
    stores: createStores({ schemes: { memory: () => process.store }, clock }),
    clock,
    logger: silentLogger,
  });
  const events: JobEvent[] = [];
  job.events$.subscribe((event) => events.push(event));
  const out = job
    .source('in', files('memory://lake/in/', { format: ndjson<object>(), prefetch: { window: 2 } }))
    .pipe(
      operator as (source: Flow<object>) => Flow<object>,
      fileSink('out', 'memory://lake/out', { format: ndjson() }),
    );
  void job.run(out);
  clock.run(() => process.dead || events.some(({ type }) => type === 'finished'));
  return events;
}

/** The records that the job has published. */
export function published(lake: ObjectStore): readonly unknown[] {
  const keys: string[] = [];
  listAll(lake, 'out/').subscribe((page) => keys.push(...page.map(({ key }) => key)));
  return keys.flatMap((key) => {
    let lines: string[] = [];
    lake.get(key).subscribe(({ chunks }) => {
      lines = Buffer.concat(chunks).toString().trim().split('\n');
    });
    return lines.map((line): unknown => JSON.parse(line));
  });
}
