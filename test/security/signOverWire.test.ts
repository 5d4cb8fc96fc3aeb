/** A signed job on a server whose content an attacker changes between two runs, with all permissions but without the key. */
import { tap } from 'rxjs';
import { decodeManifest, encodeManifest } from '../../src/checkpoint/index.js';
import type { Manifest } from '../../src/checkpoint/manifest.js';
import {
  createMemoryStore,
  decorate,
  listAll,
  openStores,
  type OpenedStores,
} from '../../src/entries/stores.js';
import { createJob, fileSink, files, keyed, ndjson, silentLogger, valueState } from '../../src/index.js';
import { startGateway, type Gateway } from '../../src/store/gateway/index.js';
import { now } from '../job/harness.js';

const key = 'one-'.padEnd(40, 'x');
const otherKey = 'other-'.padEnd(40, 'y');
const credentials = { accessKeyId: 'KEY', secretAccessKey: 'secret-of-the-test' };
const records = 6000;

interface Stopped {
  readonly objects: readonly (readonly [string, Buffer])[];
  readonly history: readonly (readonly [string, Buffer])[];
}
let stopped: Stopped | undefined;

/** A bucket behind a gateway, with a signed job that was stopped in the middle; the attacker has kept all it ever held. */
class Bucket {
  readonly lake = createMemoryStore({ uri: 'memory://lake' });
  readonly #history = new Map<string, Buffer>();
  #gateway!: Gateway;
  #stores!: OpenedStores;

  /** As it was when the three jobs were stopped; they run once for all tests. */
  static async open(): Promise<Bucket> {
    const bucket = new Bucket();
    await bucket.#serve();
    if (stopped === undefined) stopped = await bucket.#fill();
    else {
      for (const [at, body] of stopped.objects) bucket.put(at, body);
      for (const [at, body] of stopped.history) bucket.#history.set(at, body);
    }
    return bucket;
  }

  async #serve(): Promise<void> {
    const { lake } = this;
    const watched = decorate(lake, ({ method, key: at, body }, run) =>
      run.pipe(tap(() => method === 'put' && this.#history.set(at, Buffer.from(body ?? '')))),
    );
    this.#gateway = await startGateway({ buckets: { lake: watched }, credentials });
    this.#stores = openStores({ s3: { endpoint: this.#gateway.endpoint, credentials } });
  }

  async #fill(): Promise<Stopped> {
    const line = (n: number): string => `${JSON.stringify({ n, filler: 'x'.repeat(100) })}\n`;
    this.put('raw/a.ndjson', Array.from({ length: records }, (_, n) => line(n)).join(''));
    this.put('victim', 'not the job’s');
    await this.run({ until: 3000 });
    await this.run({ until: 3000, name: 'neighbour' });
    await this.run({ until: 3000, name: 'stranger', keys: otherKey });
    expect(now(this.lake.listUploads({ prefix: '' })).uploads).toEqual([]);
    return { objects: this.keys('').map((at) => [at, this.read(at)]), history: [...this.#history] };
  }

  async close(): Promise<void> {
    this.#stores.close();
    await this.#gateway.close();
  }

  /** Runs a job until it has seen so many records, or to its end. */
  async run({ until = Infinity, name = 'clicks', keys = key } = {}): Promise<void> {
    const job = createJob({
      name,
      checkpoints: { dir: 's3://lake/checkpoints', interval: 5, sign: { keys } },
      stores: this.#stores,
      logger: silentLogger,
    });
    const stop = new AbortController();
    let seen = 0;
    const flow = job
      .source(
        'raw',
        files('s3://lake/raw/*', {
          format: ndjson<{ readonly n: number }>(),
          prefetch: { window: 1, fragment: 16_384 },
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
        fileSink('out', `s3://lake/out/${name}`, { format: ndjson() }),
      );
    await job.run(flow, { signal: stop.signal });
  }

  put(at: string, body: string | Buffer): void {
    now(this.lake.put(at, Buffer.from(body)));
  }

  read(at: string): Buffer {
    return Buffer.concat(now(this.lake.get(at)).chunks);
  }

  /** What there is below a prefix, of a kind. */
  keys(prefix: string, ending = ''): string[] {
    let found: string[] = [];
    listAll(this.lake, prefix).subscribe((page) => (found = [...found, ...page.map((each) => each.key)]));
    return found.filter((each) => each.endsWith(ending));
  }

  /** What there was of a kind, whatever became of it. */
  past(prefix: string, ending = ''): { readonly key: string; readonly body: Buffer }[] {
    return [...this.#history]
      .filter(([each]) => each.startsWith(prefix) && each.endsWith(ending))
      .map(([each, body]) => ({ key: each, body }))
      .sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  get newest(): string {
    return this.keys('checkpoints/clicks/log/').at(-1) ?? '';
  }

  /** Everything but the job's own log: content by key, and uploads. */
  get outside(): unknown {
    let uploads: unknown;
    this.lake.listUploads({ prefix: '' }).subscribe((page) => (uploads = page.uploads));
    const objects = this.keys('').filter((each) => !each.startsWith('checkpoints/clicks/log/'));
    return { uploads, objects: objects.map((each) => [each, this.read(each).toString('latin1')]) };
  }
}

const slot = (n: number): string => `checkpoints/clicks/log/${String(n).padStart(20, '0')}`;
const log = 'checkpoints/clicks/log/';
const data = 'checkpoints/clicks/data/';
const numberOf = (entry: string): number => Number(entry.slice(-20));

/** The content of an entry with something changed, and its checksum set right; the signature stays. */
function altered(entry: Buffer, change: (manifest: Manifest) => Manifest): Buffer {
  const [, signature = ''] = /( [0-9a-f]{64})\n/.exec(entry.toString('latin1')) ?? [];
  const forged = encodeManifest(change(decodeManifest(entry, 'entry')));
  const end = forged.indexOf(0x0a);
  return Buffer.concat([forged.subarray(0, end), Buffer.from(signature), forged.subarray(end)]);
}

function flipped(body: Buffer, at: number): Buffer {
  const copy = Buffer.from(body);
  copy.writeUInt8((copy[at] ?? 0) ^ 1, at);
  return copy;
}

let bucket: Bucket;
beforeEach(async () => {
  bucket = await Bucket.open();
});
afterEach(() => bucket.close());

const [untrusted, corrupt] = ['ManifestNotTrusted', 'ManifestCorrupt'];

test.each<[string, string | undefined, () => void]>([
  ['has one bit flipped', corrupt, () => bucket.put(bucket.newest, flipped(bucket.read(bucket.newest), 400))],
  ['is cut off', corrupt, () => bucket.put(bucket.newest, bucket.read(bucket.newest).subarray(0, 300))],
  ['is empty', corrupt, () => bucket.put(bucket.newest, '')],
  [
    'says that the job has finished',
    untrusted,
    () =>
      bucket.put(
        bucket.newest,
        altered(bucket.read(bucket.newest), (manifest) => ({ ...manifest, finished: true })),
      ),
  ],
  [
    'has the signature of another entry',
    untrusted,
    () => {
      const older = bucket.past(log).at(-2)?.body.toString('latin1') ?? '';
      const [signature = ''] = / [0-9a-f]{64}(?=\n)/.exec(older) ?? [];
      const newest = bucket.read(bucket.newest).toString('latin1');
      bucket.put(bucket.newest, Buffer.from(newest.replace(/ [0-9a-f]{64}(?=\n)/, signature), 'latin1'));
    },
  ],
  [
    'is unsigned',
    untrusted,
    () => bucket.put(bucket.newest, encodeManifest(decodeManifest(bucket.read(bucket.newest), 'entry'))),
  ],
  [
    'is an older one, in the next slot',
    corrupt,
    () => bucket.put(slot(numberOf(bucket.newest) + 1), bucket.past(log).at(-3)?.body ?? ''),
  ],
  ['is an older one', corrupt, () => bucket.put(bucket.newest, bucket.past(log).at(-3)?.body ?? '')],
  [
    'is that of another job with the same key',
    corrupt,
    () => bucket.put(bucket.newest, bucket.past('checkpoints/neighbour/log/').at(-1)?.body ?? ''),
  ],
  [
    'is that of a job with another key, renamed to this one',
    untrusted,
    () => {
      const foreign = decodeManifest(
        bucket.past('checkpoints/stranger/log/').at(-1)?.body ?? Buffer.alloc(0),
        '',
      );
      const n = numberOf(bucket.newest);
      bucket.put(bucket.newest, encodeManifest({ ...foreign, job: 'clicks', n }, otherKey));
    },
  ],
  [
    'was put far ahead',
    untrusted,
    () =>
      bucket.put(
        slot(1_000_000),
        altered(bucket.read(bucket.newest), (manifest) => ({ ...manifest, n: 1_000_000 })),
      ),
  ],
])('a newest entry that %s is %s', async (_, code, attack) => {
  attack();
  const entries = bucket.keys(log).map((each) => [each, bucket.read(each).toString('latin1')]);
  const before = bucket.outside;
  await expect(bucket.run()).rejects.toMatchObject({ code, retryable: false });
  expect(bucket.outside).toEqual(before);
  expect(bucket.keys(log).map((each) => [each, bucket.read(each).toString('latin1')])).toEqual(entries);
});

test.each<[string, string, string, (at: string, ending: string) => void]>(
  (
    [
      ['has one bit flipped', (at) => bucket.put(at, flipped(bucket.read(at), 20))],
      ['is cut off', (at) => bucket.put(at, bucket.read(at).subarray(0, 20))],
      ['is empty', (at) => bucket.put(at, '')],
      [
        'is an older one',
        (at, ending) => {
          const older = bucket.past(data, ending).filter((each) => !each.body.equals(bucket.read(at)));
          bucket.put(at, older[0]?.body ?? '');
        },
      ],
      [
        'is that of another job',
        (at, ending) => bucket.put(at, bucket.past('checkpoints/neighbour/data/', ending).at(-1)?.body ?? ''),
      ],
    ] as const satisfies readonly (readonly [string, (at: string, ending: string) => void])[]
  ).flatMap(([how, attack]) => [
    [how, '.state', 'SegmentCorrupt', attack] as [string, string, string, typeof attack],
    [how, '.journal', 'CorruptJournal', attack] as [string, string, string, typeof attack],
  ]),
)('of the data, what %s (%s) is %s', async (_, ending, code, attack) => {
  const named = bucket.read(bucket.newest).toString();
  const victims = bucket.keys(data, ending).filter((each) => named.includes(each.slice(data.length)));
  expect(victims.length).toBeGreaterThan(0);
  for (const at of victims) attack(at, ending);
  const before = bucket.outside;
  await expect(bucket.run()).rejects.toMatchObject({ code, retryable: false });
  expect(bucket.outside).toEqual(before);
});

test('an unchanged log leads to the complete output', async () => {
  await bucket.run();
  const lines = bucket.keys('out/clicks/').flatMap((each) => bucket.read(each).toString().trim().split('\n'));
  expect(lines.map((each) => (JSON.parse(each) as { n: number }).n)).toEqual(
    Array.from({ length: records }, (_, n) => n),
  );
  expect(bucket.read('victim').toString()).toBe('not the job’s');
});
