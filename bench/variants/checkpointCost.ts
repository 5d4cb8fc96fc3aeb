/**
 * The exact store requests of one checkpoint: a whole job on a memory store in simulated time, with every request
 * recorded. The job has a state per key and a number of open files. A batch then touches a number of keys, once each;
 * the requests from that batch's barrier to the next one are the cost of its checkpoint.
 */
import { createJob, fileSink, keyed, ndjson, valueState } from 'millrace';
import { createStores } from 'millrace/stores';
import type { Source, SourceContext } from 'millrace/operators';
import { SimulatedClock } from 'millrace/testing';
import { pack } from 'msgpackr';
import { createHash } from 'node:crypto';
import { noting, type CountedRequest } from '../synthetic/noting.js';

export interface CheckpointCost {
  readonly dirty: number;
  readonly files: number;
  readonly requests: number;
  /** Method and kind of object: `put journal`. */
  readonly byKind: Readonly<Record<string, number>>;
  readonly segmentBytes: number;
  readonly journalBytes: number;
  readonly manifestBytes: number;
  /** Keys and values of the dirty entries, packed one by one. */
  readonly entryBytes: number;
  /** What the batch added to files. */
  readonly tailBytes: number;
}

interface Visit {
  readonly user: string;
  readonly file: number;
}

interface Profile {
  readonly visits: number;
  readonly token: string;
}

export function checkpointCost(dirty: number, files: number): CheckpointCost {
  const clock = new SimulatedClock(Date.UTC(2026, 0, 1));
  const requests: CountedRequest[] = [];
  const stores = createStores({ clock, around: (store) => noting(store, requests) });
  const job = createJob({
    name: 'cost',
    checkpoints: { dir: 'memory://bench/checkpoints', interval: '10s' },
    clock,
    random: () => 0.5,
    stores,
    restart: 'none',
  });
  let started = 0;
  let failure: unknown;
  job.events$.subscribe(({ type }) => {
    if (type === 'checkpoint-started') started++;
  });
  const batches = new Batches();
  const flow = job.source('visits', batches.source).pipe(
    keyed('profiles', {
      key: (visit) => visit.user,
      state: { profile: valueState<Profile>({ visits: 0, token: '' }) },
      onRecord: ({ user, file }, { profile }) => {
        const { visits } = profile.update((p) => profileOf(user, p.visits + 1));
        return [{ file, user, visits }];
      },
    }),
    fileSink('out', 'memory://bench/out', {
      format: ndjson(),
      partitionBy: ({ file }) => `file=${file}`,
      roll: { size: '128MiB', age: '10h', inactivity: '10h' },
    }),
  );
  job.run(flow).catch((error: unknown) => (failure = error));

  const nextBarrier = (): void => {
    const before = started;
    if (!clock.run(() => started > before)) throw new Error('the job stands still', { cause: failure });
  };
  const visits = (count: number): Visit[] =>
    Array.from({ length: count }, (_, i) => ({ user: userName(i), file: i % files }));

  nextBarrier();
  batches.offer(visits(Math.max(files, dirty))); // opens all files and creates all keys
  nextBarrier();
  nextBarrier(); // and that is stored
  batches.offer(visits(dirty));
  nextBarrier();
  requests.length = 0;
  nextBarrier();
  const bytesOf = (kind: string): number =>
    requests.filter((each) => kindOf(each) === kind).reduce((sum, { bytes }) => sum + bytes, 0);
  const byKind: Record<string, number> = {};
  for (const request of requests) {
    const name = `${request.method} ${kindOf(request)}`;
    byKind[name] = (byKind[name] ?? 0) + 1;
  }
  return {
    dirty,
    files,
    requests: requests.length,
    byKind,
    segmentBytes: bytesOf('segment'),
    journalBytes: bytesOf('journal'),
    manifestBytes: bytesOf('manifest'),
    entryBytes: visits(dirty).reduce((sum, { user }) => sum + entrySize(user), 0),
    tailBytes: visits(dirty).reduce((sum, v) => sum + `${JSON.stringify({ ...v, visits: 2 })}\n`.length, 0),
  };
}

const userName = (i: number): string => `user-${(i * 2_654_435_761) % 4_294_967_296}`;

/** A value that hardly compresses, as savings would depend on the data. */
const profileOf = (user: string, visits: number): Profile => ({
  visits,
  token: createHash('md5').update(`${user} ${visits}`).digest('base64'),
});

const entrySize = (user: string): number => pack(user).length + pack(profileOf(user, 2)).length;

function kindOf({ key }: CountedRequest): 'manifest' | 'journal' | 'segment' | 'output' {
  if (!key.startsWith('checkpoints/')) return 'output';
  if (key.includes('/log/')) return 'manifest';
  return key.includes('journal') ? 'journal' : 'segment';
}

/** A source that emits everything it is offered synchronously, and waits for more. */
class Batches {
  #waiting: Visit[] = [];
  #context: SourceContext | undefined;
  #given = 0;

  readonly source: Source<Visit> = {
    description: 'offered visits',
    open: (context) => {
      this.#context = context;
      const given = (): number => this.#given;
      return {
        poll: (out) => {
          const batch = this.#waiting;
          this.#waiting = [];
          for (const visit of batch) out.record(visit);
          this.#given += batch.length;
          return 'wait';
        },
        position: given,
        get bytes() {
          return given();
        },
        close: () => undefined,
      };
    },
  };

  offer(visits: readonly Visit[]): void {
    this.#waiting = this.#waiting.concat(visits);
    this.#context?.ready();
  }
}
