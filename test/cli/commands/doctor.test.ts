import { lastValueFrom, of } from 'rxjs';
import {
  createMemoryStore,
  createStores,
  decorate,
  type ObjectStore,
  type OpenedStores,
} from '../../../src/entries/stores.js';
import { createJob, fileSink, files, silentLogger, text } from '../../../src/index.js';
import { encodeManifest, type Manifest } from '../../../src/checkpoint/index.js';
import { formatUid } from '../../../src/path/uids.js';
import { crashAt } from '../../../src/store/decorators/faults.js';
import { SimulatedClock } from '../../../src/testing/simulatedClock.js';
import { answer } from '../../store/s3support.js';
import { effort } from '../../support/effort.js';
import { gatewayPlace, localPlace, memoryPlace, type Place } from '../places.js';
import { cli, contents, put, records, uploadsOf, type Outcome } from '../support.js';

const jobId = 'abcdefghijkl';
const epoch = 5;

/** Nothing is to be said about it. */
const leftoversOnly = { enabled: true, prefix: '', hasOtherFilter: false, abortIncompleteAfterDays: 7 };

describe.each([
  ['in memory', memoryPlace],
  ['on a local disk', localPlace],
  ['over HTTP', () => gatewayPlace({ lake: [leftoversOnly] })],
])('millrace doctor, %s', (_, open) => {
  let place: Place;
  const doctor = (...argv: readonly string[]): Promise<Outcome> => cli(['doctor', ...argv], place.given);

  beforeEach(async () => {
    place = await open();
  });
  afterEach(async () => {
    // The store in memory is that of the process.
    await answer(place.store.delete(Object.keys(await contents(place.store, place.prefix))));
    const { uploads } = await answer(place.store.listUploads({ prefix: place.prefix }));
    for (const { key, uploadId } of uploads)
      await lastValueFrom(place.store.abortUpload(key, uploadId), { defaultValue: undefined });
    await place.close();
  });

  const nameOf = (of: string, e: number, counter: number): string =>
    `${place.prefix}out/part-${formatUid({ jobId: of, sink: 'out', epoch: e, counter })}.txt`;

  async function upload(key: string): Promise<string> {
    const { uploadId } = await answer(place.store.createUpload(key));
    await answer(place.store.uploadPart(key, uploadId, 1, Buffer.from('12345')));
    return uploadId;
  }

  /** A log whose newest entry is of epoch 5, in a checkpoint directory. */
  async function log(dir: string, change: object = {}): Promise<void> {
    const manifest: Manifest = {
      ...{ version: 1, jobId, job: 'clicks', n: 9, prev: { n: 8, putId: 'b' }, parent: 8, epoch },
      ...{ putId: 'a', kind: 'checkpoint', checkpoint: 7, at: 0, operators: {} },
      ...{ pending: [], garbage: [], retained: [], ...change },
    };
    await put(place.store, {
      [`${place.prefix}${dir}/clicks/log/${'9'.padStart(20, '0')}`]: encodeManifest(manifest),
    });
  }

  const named = (): readonly [string, string] => ['--job', `${place.uri}checkpoints/clicks`];

  /** Everything that a bucket may hold. */
  async function bucket(): Promise<void> {
    const uploaded = await upload(nameOf(jobId, 3, 1));
    for (const key of [
      nameOf(jobId, 3, 2),
      nameOf(jobId, 4, 3), // named, without its upload
      nameOf(jobId, 5, 4),
      nameOf('bcdefghijklm', 1, 5),
      `${place.prefix}out/other.bin`,
    ])
      await upload(key);
    const committable = (key: string, uploadId?: string): object => ({
      ...{ uid: key, objects: [], key, ...(uploadId && { uploadId }) },
    });
    await log('checkpoints', {
      operators: {
        keys: { kind: 'operator', open: [], objects: ['data/0000000003/keys-1.state'] },
        out: { kind: 'sink', open: [committable(nameOf(jobId, 3, 1), uploaded)], objects: [] },
      },
      pending: [{ sink: 'out', committable: committable(nameOf(jobId, 4, 3)) }],
      retained: [{ n: 4, putId: 'r', checkpoint: 2, objects: ['data/0000000002/keys-1.state'] }],
    });
    const data = `${place.prefix}checkpoints/clicks/data/`;
    await put(place.store, {
      [`${data}0000000002/keys-1.state`]: 'retained',
      [`${data}0000000003/keys-1.state`]: 'current state',
      [`${data}0000000003/keys-2.state`]: 'garbage',
      [`${data}0000000005/keys-3.state`]: 'being written',
      [`${place.prefix}checkpoints/clicks/notes.txt`]: 'not of the job',
      [`${place.prefix}out/_manifests/out/${jobId}/0000000003-0000000000000007.json`]: 'for readers',
      [`${place.prefix}out/data/0000000001/x`]: 'not of the job either',
    });
  }

  const verdicts = (found: Outcome): (readonly unknown[])[] =>
    records(found.out)
      .filter(({ type }) => type !== 'job')
      .map(({ type, verdict, uri, bytes }) => [type, verdict, String(uri).split('/').at(-1), bytes]);

  test('tells whose everything is, and what is garbage; changes nothing', async () => {
    await bucket();
    const before = await contents(place.store, place.prefix);
    const found = await doctor('--json', place.uri, ...named());
    expect(found).toMatchObject({ code: 0, err: '' });
    const file = (of: string, e: number, counter: number): string =>
      nameOf(of, e, counter).split('/').at(-1)!;
    expect(verdicts(found)).toEqual([
      ['upload', 'foreign', 'other.bin', 5],
      ['upload', 'named', file(jobId, 3, 1), 5],
      ['upload', 'garbage', file(jobId, 3, 2), 5],
      ['upload', 'named', file(jobId, 4, 3), 5],
      ['upload', 'current', file(jobId, 5, 4), 5],
      ['upload', 'foreign', file('bcdefghijklm', 1, 5), 5],
      ['object', 'garbage', 'keys-2.state', 7],
      ['object', 'current', 'keys-3.state', 13],
    ]);
    expect(records(found.out).at(-1)).toMatchObject({ type: 'job', job: 'clicks', jobId, epoch, objects: 4 });
    const shown = await doctor(place.uri, ...named());
    expect(shown.out).toContain('job clicks, epoch 3');
    expect(shown.err).toContain('8 findings, 50 B. Estimate: $0.00 a month, at $0.023 for a GB.');
    expect(shown.err).toContain('Nothing was removed. --fix removes 2 findings of garbage.');
    expect(await contents(place.store, place.prefix)).toEqual(before);
    expect(await uploadsOf(place.store, place.prefix)).toBe(6);
  });

  test('--fix removes garbage, and nothing else; then there is none', async () => {
    await bucket();
    const before = Object.keys(await contents(place.store, place.prefix));
    expect(await doctor('--fix', place.uri, ...named())).toMatchObject({ code: 0 });
    const left = Object.keys(await contents(place.store, place.prefix));
    expect(left).toEqual(before.filter((key) => !key.endsWith('keys-2.state')));
    expect(await uploadsOf(place.store, place.prefix)).toBe(5);
    const again = await doctor('--json', '--fix', place.uri, ...named());
    expect(verdicts(again).filter(([, verdict]) => verdict === 'garbage')).toEqual([]);
  });

  test('without the log of its job nothing is garbage; --job names it', async () => {
    await bucket();
    const out = `${place.uri}out/`;
    const found = await doctor('--json', '--fix', out);
    expect(verdicts(found).map(([, verdict]) => verdict)).toEqual(Array(6).fill('foreign'));
    expect(await uploadsOf(place.store, place.prefix)).toBe(6);
    await doctor('--fix', out, '--job', `${place.uri}checkpoints/clicks`);
    expect(await uploadsOf(place.store, place.prefix)).toBe(5);
  });

  test('a log that nobody has named is no proof: anybody may have written it', async () => {
    await bucket();
    await log('theirs', { jobId: 'bcdefghijklm', epoch: 999 });
    const before = await contents(place.store, place.prefix);
    const found = await doctor('--json', '--fix', place.uri, ...named());
    expect(verdicts(found).filter(([, verdict]) => verdict === 'unproven')).toEqual([
      ['upload', 'unproven', nameOf('bcdefghijklm', 1, 5).split('/').at(-1), 5],
    ]);
    const shown = await doctor('--fix', place.uri);
    expect(shown.err).toContain(`If it is that of your job: --job ${place.uri}theirs/clicks/`);
    expect(await uploadsOf(place.store, place.prefix)).toBe(5);
    expect(Object.keys(await contents(place.store, place.prefix))).toEqual(
      Object.keys(before).filter((key) => !key.endsWith('keys-2.state')),
    );
  });

  test('a job with entropy in its keys is named with the marker; otherwise the error says so', async () => {
    const values = Array.from({ length: 16 }, (_, i) => `e${i}`);
    const entropy = { at: place.prefix.length, name: true, values };
    await log('checkpoints', { entropy });
    await put(place.store, {
      [`${place.prefix}e3/checkpoints/clicks/data/0000000001/e3/x-1.state`]: 'garbage',
    });
    expect((await doctor(place.uri)).err).toContain('name its checkpoint folder with the marker');
    const marked = ['--job', `${place.uri}_entropy_/checkpoints/clicks`] as const;
    const given = { ...place.given, env: { ...place.given.env, S3_ENTROPY_KEY: '_entropy_' } };
    const found = await cli(['doctor', '--json', '--fix', place.uri, ...marked], given);
    expect(found).toMatchObject({ code: 0, err: '' });
    expect(verdicts(found)).toEqual([['object', 'garbage', 'x-1.state', 7]]);
  });

  test('a log that cannot be read is reported, and nothing of its job is garbage', async () => {
    await bucket();
    const entry = `${place.prefix}checkpoints/clicks/log/${'10'.padStart(20, '0')}`;
    await put(place.store, { [entry]: 'no manifest' });
    const found = await doctor('--json', '--fix', place.uri);
    expect(found.code).toBe(1);
    expect(records(found.err)).toMatchObject([{ type: 'error' }]);
    expect(await uploadsOf(place.store, place.prefix)).toBe(6);
  });

  test('while a log cannot be read, --fix removes nothing: nobody knows what it names', async () => {
    await bucket();
    const entry = `${place.prefix}elsewhere/clicks/log/${'10'.padStart(20, '0')}`;
    await put(place.store, { [entry]: 'no manifest' });
    const found = await doctor('--fix', place.uri, ...named());
    expect(found.code).toBe(1);
    expect(found.err).toContain('Nothing was removed, because a log could not be read');
    expect(found.err).toContain('If it belongs to no job, move it away.');
    expect(await uploadsOf(place.store, place.prefix)).toBe(6);
    // As the message says.
    expect((await doctor('--fix', `${place.uri}out/`, ...named())).code).toBe(0);
    expect(await uploadsOf(place.store, place.prefix)).toBe(5);
  });

  test('a folder without a log that --job names is an error, and --fix removes nothing', async () => {
    await bucket();
    const found = await doctor('--fix', place.uri, ...named(), '--job', `${place.uri}checkpoints/click`);
    expect(found.code).toBe(1);
    expect(found.err).toMatch(/^millrace: StateNotFound: \S*checkpoints\/click\/ has no log of a job\. /);
    expect(await uploadsOf(place.store, place.prefix)).toBe(6);
  });

  test('--fix removes nothing beside the folder', async () => {
    await bucket();
    const folder = `${place.uri}checkpoints/clicks`;
    const beside = await upload(
      `${place.prefix}checkpoints/clicks-old/part-${formatUid({ jobId, sink: 'out', epoch: 3, counter: 9 })}.txt`,
    );
    await doctor('--fix', folder);
    const { uploads } = await answer(place.store.listUploads({ prefix: place.prefix }));
    expect(uploads.map(({ uploadId }) => uploadId)).toContain(beside);
  });

  test('an older copy of the log does not make garbage of what the log names, nor the other way round', async () => {
    await bucket();
    await log('backup', { epoch: 2 });
    const found = await doctor('--json', place.uri, ...named());
    expect(verdicts(found).filter(([type, verdict]) => type === 'upload' && verdict === 'garbage')).toEqual(
      [],
    );
  });

  test('nothing is left over in a clean place, and a wrong one says that it is empty; a price that is none is refused', async () => {
    const empty = await doctor(`${place.uri}nope`);
    expect(empty).toMatchObject({ code: 0, out: '' });
    expect(empty.err).toMatch(/^There is nothing below .*nope\/?\.\n$/);
    await put(place.store, { [`${place.prefix}other.txt`]: 'x' });
    expect(await doctor(place.uri)).toMatchObject({ code: 0, out: '', err: 'Nothing is left over.\n' });
    expect(await doctor('--price', '-1', place.uri)).toMatchObject({ code: 2 });
  });
});

test('what is listed is not held: a page is dealt with before the next is asked for', async () => {
  const memory = createMemoryStore({ uri: 'memory://lake' });
  const names = Array.from({ length: 2500 }, (_, i) => `data/0000000001/o-${i}.journal`);
  await put(memory, Object.fromEntries(names.map((name) => [`c/many/${name}`, 'x'])));
  const manifest = {
    ...{ version: 1, jobId, job: 'many', n: 2, prev: { n: 1, putId: 'b' }, parent: 1, epoch: 2, putId: 'a' },
    ...{ kind: 'claim', checkpoint: 0, at: 0, operators: {}, pending: [], garbage: [], retained: [] },
  } as unknown as Manifest;
  await put(memory, { [`c/many/log/${'2'.padStart(20, '0')}`]: encodeManifest(manifest) });
  const requests: string[] = [];
  const watched = decorate(memory, ({ method }, run) => {
    requests.push(method);
    return run;
  });
  const { code } = await cli(
    ['doctor', '--fix', '-q', 'memory://lake/', '--job', 'memory://lake/c/many'],
    storesOf(watched),
  );
  expect(code).toBe(0);
  const last = requests.filter((method) => method === 'list' || method === 'delete').slice(-6);
  expect(last).toEqual(['list', 'delete', 'list', 'delete', 'list', 'delete']);
  expect(Object.keys(await contents(memory))).toHaveLength(1);
});

test('a job whose processes were killed goes on after --fix, and publishes each record once', async () => {
  const lines = Array.from({ length: 60 }, (_, i) => `${i}`.padStart(8, '0'));
  let fixed = 0;
  const fix = async (memory: ObjectStore): Promise<void> => {
    const { code, out } = await cli(
      ['doctor', '--json', '--fix', 'memory://lake/', '--job', 'memory://lake/checkpoints/clicks'],
      storesOf(memory),
    );
    expect(code).toBe(0);
    fixed += records(out).filter(({ verdict }) => verdict === 'garbage').length;
  };
  for (let at = 6; at < 60; at += effort(23, 1)) {
    const memory = createMemoryStore({ uri: 'memory://lake', minimumPartSize: 16 });
    await put(memory, { 'in/a.txt': `${lines.join('\n')}\n` });
    // The second process dies after its claim, before it has removed what the first one has left.
    for (const [n, when] of [
      [at, 'after'],
      [8, at % 2 === 0 ? 'before' : 'after'],
    ] as const) {
      runUntil(memory, n, when);
      await fix(memory);
    }
    expect(runUntil(memory, Infinity, 'after')).toBe(true);
    await fix(memory);
    const published = Object.values(await contents(memory, 'out/')).join('');
    expect(published.split('\n').slice(0, -1).sort()).toEqual(lines);
  }
  expect(fixed).toBeGreaterThan(0);
});

/** Runs a job whose process dies at its n-th request. Returns whether it finished before that. */
function runUntil(memory: ObjectStore, n: number, when: 'before' | 'after'): boolean {
  const clock = new SimulatedClock();
  const mortal = crashAt(memory, n, when);
  const job = createJob({
    name: 'clicks',
    checkpoints: { dir: 'memory://lake/checkpoints', interval: '1s' },
    stores: storesOf(mortal.store).stores,
    clock,
    logger: silentLogger,
  });
  let finished = false;
  job.events$.subscribe(({ type }) => {
    if (type === 'finished') finished = true;
  });
  const source = files('memory://lake/in/', { format: text() });
  const sink = fileSink<string>('out', 'memory://lake/out', { format: text(), partSize: 16 });
  void job.run(job.source('in', source).pipe(sink));
  clock.run(() => finished || mortal.dead);
  return finished;
}

/** The only bucket, with small parts. */
function storesOf(store: ObjectStore): { readonly stores: OpenedStores } {
  const stores = createStores({
    schemes: { memory: () => store },
    capabilities: () => of({ conditionalPut: true, completeSubset: true, minimumPartSize: 16 }),
  });
  const close = (): void => undefined;
  return { stores: { ...stores, close, [Symbol.dispose]: close } };
}
