import { tap } from 'rxjs';
import { decodeManifest, encodeManifest } from '../../src/checkpoint/index.js';
import { logKey, type Manifest } from '../../src/checkpoint/manifest.js';
import { createMemoryStore, createStores, decorate, type ObjectStore } from '../../src/entries/stores.js';
import {
  fileSink,
  files,
  keyed,
  ndjson,
  valueState,
  type FileSinkOptions,
  type FilesOptions,
  type JobOptions,
  type MillraceError,
} from '../../src/index.js';
import { Lake, now } from '../job/harness.js';

export interface Record_ {
  readonly n: number;
}

/** A manifest as an attacker sees it: anything may be anything. */
type Forged = { -readonly [K in Exclude<keyof Manifest, 'operators' | 'pending'>]: Manifest[K] } & {
  operators: Record<string, { snapshot?: unknown; open: object[]; objects: string[] }>;
  pending: { sink: string; committable: Record<string, unknown> }[];
};
export type Forgery = (manifest: Forged) => void;

const log = 'checkpoints/test/';

/**
 * A job that was stopped in the middle of an object, and an attacker who can write to its checkpoint directory: forges the
 * newest manifest with the product's own encoder, starts the job, and sees every request that it makes, to whatever store.
 */
export class Victim {
  readonly lake = new Lake();
  /** Each as `<store> <method> <key>`; of a delete, one for each key. */
  readonly requests: string[] = [];
  readonly #stores = new Map<string, ObjectStore>([['lake', this.lake.store]]);
  readonly stores = createStores({
    schemes: {
      memory: (name) => this.#watched(name),
      file: (name) => this.#watched(`file ${name}`),
      s3x: (name) => this.#watched(`s3x ${name}`),
    },
    clock: this.lake.clock,
  });

  /** @param lines of each of the two objects of its input */
  constructor(lines = 4000) {
    for (const [i, name] of ['a', 'b'].entries())
      this.lake.put(
        `raw/${name}.ndjson`,
        Array.from({ length: lines }, (_, n) => ({ n: i * lines + n })),
      );
    this.lake.put('raw/_hidden.ndjson', [{ n: -1 }]);
    this.lake.put('elsewhere/secret.ndjson', [{ n: -2 }]);
  }

  #watched(name: string): ObjectStore {
    let store = this.#stores.get(name);
    if (store === undefined) {
      store = createMemoryStore({ uri: `memory://${name}`, clock: this.lake.clock });
      this.#stores.set(name, store);
    }
    const inner = store;
    const seen = decorate(store, ({ method, key }, run) =>
      run.pipe(tap({ subscribe: () => this.requests.push(`${name} ${method} ${key}`) })),
    );
    return {
      ...seen,
      delete: (keys) => {
        this.requests.push(...keys.map((key) => `${name} delete ${key}`));
        return inner.delete(keys);
      },
    };
  }

  /** Runs the job until it has seen so many records, or to its end. */
  async run(
    options: {
      readonly until?: number;
      readonly source?: Partial<FilesOptions<Record_>>;
      readonly sink?: Partial<FileSinkOptions<Record_>>;
      readonly out?: string;
      readonly job?: Partial<JobOptions>;
    } = {},
  ): Promise<void> {
    const { until, source, sink, out = 'memory://lake/out', job: more } = options;
    const { job } = this.lake.job({
      stores: this.stores,
      ...more,
      checkpoints: { interval: 1, ...more?.checkpoints },
    });
    const stop = new AbortController();
    let seen = 0;
    const flow = job
      .source(
        'raw',
        files('memory://lake/raw/*', {
          format: ndjson<Record_>(),
          prefetch: { window: 1, fragment: 4096 },
          ...source,
        }),
      )
      .pipe(
        keyed('seen', {
          key: ({ n }) => n % 10,
          state: { count: valueState(0) },
          onRecord: (record, { count }) => {
            count.update((each) => each + 1);
            if (++seen === until) stop.abort();
            return [record];
          },
        }),
        fileSink('out', out, { format: ndjson(), ...sink }),
      );
    await this.lake.run(job, flow, { signal: stop.signal });
  }

  /** The slot of the newest entry. */
  get newest(): number {
    const keys = now(this.lake.store.list({ prefix: `${log}log/` })).objects.map(({ key }) => key);
    return Number(keys.at(-1)?.slice(-20));
  }

  read(n = this.newest): Manifest {
    const { chunks } = now(this.lake.store.get(log + logKey(n)));
    return decodeManifest(Buffer.concat(chunks), `log ${n}`);
  }

  /** Alters the newest entry in place. */
  forge(change: Forgery): void {
    const manifest = structuredClone(this.read()) as unknown as Forged;
    change(manifest);
    this.write(manifest as unknown as Manifest);
  }

  write(manifest: Manifest, n = this.newest): void {
    now(this.lake.store.put(log + logKey(n), encodeManifest(manifest)));
  }

  /** Starts the job on what is there, and gives its error; `requests` are those of this start. */
  async failure(options: Parameters<Victim['run']>[0] = {}): Promise<MillraceError> {
    this.requests.length = 0;
    return this.run(options).then(
      () => {
        throw new Error('The job believed the checkpoint.');
      },
      (error: unknown) => error as MillraceError,
    );
  }

  /** Requests of the last start that reached beyond the job's checkpoints, input and output. */
  get beyond(): string[] {
    return this.requests.filter(
      (request) =>
        !/^lake (\w+) (checkpoints\/(test\/|probe|$)|out\/|raw\/?)/.test(request) || request.includes('..'),
    );
  }
}
