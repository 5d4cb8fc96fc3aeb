import { toArray, type Observable } from 'rxjs';
import { createJob, silentLogger, type Job, type JobEvent, type JobOptions } from '../../src/index.js';
import {
  createMemoryStore,
  createStores,
  listAll,
  type ObjectStore,
  type Stores,
} from '../../src/entries/stores.js';
import { SimulatedClock } from '../../src/testing/index.js';

/** A memory store with input, and jobs on it in virtual time. */
export class Lake {
  readonly clock = new SimulatedClock(1_700_000_000_000);
  readonly store: ObjectStore = createMemoryStore({ uri: 'memory://lake', clock: this.clock });
  readonly stores: Stores = createStores({ schemes: { memory: () => this.store }, clock: this.clock });

  put(key: string, lines: readonly unknown[]): void {
    this.store
      .put(
        key,
        Buffer.from(
          lines.map((line) => `${typeof line === 'string' ? line : JSON.stringify(line)}\n`).join(''),
        ),
      )
      .subscribe();
  }

  job(
    options: Omit<Partial<JobOptions>, 'checkpoints'> & {
      readonly checkpoints?: Partial<JobOptions['checkpoints']>;
    } = {},
  ): {
    job: Job;
    events: JobEvent[];
  } {
    const job = createJob({
      name: 'test',
      clock: this.clock,
      random: () => 0.5,
      stores: this.stores,
      logger: silentLogger,
      ...options,
      checkpoints: { dir: 'memory://lake/checkpoints', ...options.checkpoints },
    });
    const events: JobEvent[] = [];
    job.events$.subscribe((event) => events.push(event));
    return { job, events };
  }

  /** Runs the leaves to their end in virtual time. */
  async run(job: Job, ...leaves: Parameters<Job['run']>): ReturnType<Job['run']> {
    const result = job.run(...leaves);
    result.catch(() => undefined);
    let over = false;
    const end = (): void => void (over = true);
    result.then(end, end);
    for (let turn = 0; turn < 1000 && !over; turn++) {
      // In virtual time, a job that makes no progress would run forever.
      for (let steps = 0; this.clock.step(); steps++)
        if (steps > 300_000) throw new Error('The job goes in circles.');
      await Promise.resolve();
    }
    if (!over) throw new Error('The job stands still.');
    return result;
  }

  /** All lines below a prefix, in the order of keys. */
  lines(prefix: string): unknown[] {
    const keys = now(listAll(this.store, prefix).pipe(toArray())).flat();
    return keys.flatMap(({ key }) =>
      Buffer.concat(now(this.store.get(key)).chunks)
        .toString()
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as unknown),
    );
  }
}

/** The synchronous answer of a memory store. */
export function now<T>(answer: Observable<T>): T {
  let value: { readonly it: T } | undefined;
  answer.subscribe((it) => {
    value = { it };
  });
  if (value === undefined) throw new Error('A memory store answers at once.');
  return value.it;
}
