import { from, mergeMap } from 'rxjs';
import { createMemoryStore, createStores, decorate } from '../../../src/entries/stores.js';
import {
  countByKey,
  createJob,
  fileSink,
  files,
  keyed,
  ndjson,
  silentLogger,
  valueState,
} from '../../../src/index.js';
import type { JobOptions } from '../../../src/index.js';
import { encodeManifest } from '../../../src/checkpoint/index.js';
import type { Manifest } from '../../../src/checkpoint/index.js';
import { answer } from '../../store/s3support.js';
import { ceph, cephPlace, gatewayPlace, localPlace, memoryPlace, type Place } from '../places.js';
import { anyText, cli, contents, Kept, put, records, uploadsOf, type Outcome } from '../support.js';

const day = /\d{4}-\d\d-\d\d \d\d:\d\d/.source;
const name = /savepoint-visits-\d{8}T\d{6}Z-[a-z0-9]{6}/.source;

describe.each([
  ['in memory', memoryPlace],
  ['on a local disk', localPlace],
  ['over HTTP', gatewayPlace],
  ...(ceph === undefined ? [] : [['on Ceph', cephPlace] as [string, () => Promise<Place>]]),
])('millrace savepoint, %s', (_, open) => {
  let place: Place;
  const savepoint = (...argv: readonly string[]): Promise<Outcome> =>
    cli(['savepoint', ...argv], place.given);
  const at = (path: string): string => place.uri + path;
  const below = async (path: string): Promise<string[]> =>
    Object.keys(await contents(place.store, place.prefix + path)).map((key) =>
      key.slice(place.prefix.length),
    );

  /** Counts visits by user. Everything is published at the end. */
  async function ran(options: Partial<JobOptions> = {}): Promise<void> {
    const job = createJob({
      name: 'visits',
      checkpoints: { dir: 'memory://lake/checkpoints' },
      // The command reaches the same store in its own way.
      stores: createStores({ schemes: { memory: () => place.store } }),
      logger: silentLogger,
      ...options,
    });
    const from = `memory://lake/${place.prefix}in/`;
    const flow = job.source('in', files(from, { format: ndjson<{ user: string }>() })).pipe(
      keyed('per-user', {
        key: ({ user }) => user,
        state: { visits: valueState(0) },
        onRecord: ({ user }, { visits }) => [{ user, count: visits.update((n) => n + 1) }],
      }),
      fileSink('out', `memory://lake/${place.prefix}out/${job.name}`, { format: ndjson() }),
    );
    await job.run(flow);
  }
  const begun = (from: string): Partial<JobOptions> => ({
    name: 'second',
    from: `memory://lake/${place.prefix}${from}`,
  });

  async function created(): Promise<string> {
    const { out, err, code } = await savepoint('create', at('checkpoints/visits'), at('savepoints'));
    expect({ err, code }).toEqual({ err: '', code: 0 });
    return out.trim();
  }

  beforeEach(async () => {
    place = await open();
    // Stores in memory last as long as the process.
    await answer(place.store.delete((await below('')).map((key) => place.prefix + key)));
    await put(place.store, {
      [`${place.prefix}in/1.ndjson`]: '{"user":"ada"}\n{"user":"bo"}\n{"user":"ada"}\n',
    });
    await ran({ checkpoints: { dir: `memory://lake/${place.prefix}checkpoints` } });
  });
  afterEach(() => place.close());

  test('is refused in the folder of the job, which would remove it', async () => {
    const { out, err, code } = await savepoint(
      'create',
      at('checkpoints/visits'),
      at('checkpoints/visits/data'),
    );
    expect({ out, code }).toEqual({ out: '', code: 2 });
    expect(err).toContain('is in the checkpoint directory of the job');
  });

  test('create: a copy of the last checkpoint, which another job starts from', async () => {
    const before = await contents(place.store, `${place.prefix}checkpoints/`);
    const uri = await created();
    expect(uri).toMatch(new RegExp(`^${at('savepoints/')}${name}$`));
    // The job is not touched.
    expect(await contents(place.store, `${place.prefix}checkpoints/`)).toEqual(before);
    await put(place.store, { [`${place.prefix}in/2.ndjson`]: '{"user":"ada"}\n' });
    const folder = uri.slice(place.uri.length);
    await ran({
      ...begun(folder),
      checkpoints: { dir: `memory://lake/${place.prefix}checkpoints` },
    });
    const out = await contents(place.store, `${place.prefix}out/second`);
    expect(Object.values(out).join('')).toBe('');
    const listed = await cli(
      ['state', 'get', at('checkpoints/second'), 'per-user', 'visits', 'ada'],
      place.given,
    );
    expect(listed.out).toBe('2\n');
  });

  test('create --json: what was made; the folder may be configured', async () => {
    const set = ['--set', `state.savepoints.dir=${at('configured')}`];
    const { out, code } = await savepoint('create', '--json', ...set, at('checkpoints/visits'));
    expect(code).toBe(0);
    expect(records(out)).toEqual([
      {
        uri: expect.stringMatching(new RegExp(`^${at('configured/')}${name}$`)) as unknown,
        ...{ job: 'visits', checkpoint: 1, at: anyText, objects: 1, bytes: expect.any(Number) as unknown },
      },
    ]);
    expect(await savepoint('create', at('checkpoints/visits'))).toMatchObject({
      code: 2,
      err: expect.stringContaining('state.savepoints.dir') as unknown,
    });
  });

  test.each([
    ['that is not there', {}, 3, 'NoCheckpoint'],
    ['without a checkpoint', { checkpoint: 0 }, 3, 'NoCheckpoint'],
    [
      'with output that is not published',
      { pending: [{ sink: 'out', committable: { uid: 'x' } }] },
      1,
      "SavepointUnpublished: The last checkpoint of job 'other' has output of 'out' that is not published yet. Start the job once",
    ],
    [
      'with files that are open',
      { operators: { out: { kind: 'sink', open: [{ uid: 'x' }], objects: [] } } },
      1,
      "SavepointUnpublished: The last checkpoint of job 'other' has files of 'out' that are still open. Start the job, and call job.savepoint",
    ],
  ] as const)('create: nothing of a job %s', async (what, change, code, error) => {
    const manifest: Manifest = {
      ...{ version: 1, jobId: 'abcdefghijkl', job: 'other', n: 1, prev: null, parent: null, epoch: 1 },
      ...{ putId: 'a', kind: 'checkpoint', checkpoint: 1, at: 0, operators: {} },
      ...{ pending: [], garbage: [], retained: [], ...change },
    };
    const key = `${place.prefix}checkpoints/other/log/${'1'.padStart(20, '0')}`;
    if (what !== 'that is not there') await answer(place.store.put(key, encodeManifest(manifest)));
    const failed = await savepoint('create', at('checkpoints/other'), at('savepoints'));
    expect(failed).toMatchObject({ code, out: '', err: expect.stringContaining(error) as unknown });
    expect(await below('savepoints/')).toEqual([]);
  });

  test('ls: complete ones, incomplete ones, and those that cannot be read', async () => {
    expect(await savepoint('ls', at('savepoints'))).toMatchObject({
      ...{ code: 0, out: '', err: 'There are no savepoints.\n' },
    });
    const uri = await created();
    const folder = uri.slice(place.uri.length);
    const left = 'savepoints/savepoint-visits-20200101T000000Z-abcdef';
    await put(place.store, {
      [`${place.prefix}${left}/data/0000000000/abcdefghijkl/0000000001/x.state`]: 'xyz',
      [`${place.prefix}savepoints/other/note`]: 'no savepoint',
      [`${place.prefix}savepoints/zzz/root`]: 'no root',
    });
    const { out, code } = await savepoint('ls', at('savepoints'));
    expect(code).toBe(0);
    expect(out.split('\n')).toEqual([
      expect.stringMatching(new RegExp(`^${day}  incomplete, 1 object, 3 B  ${left.split('/')[1] ?? ''}/$`)),
      expect.stringMatching(
        new RegExp(`^${day}  checkpoint 1 of job visits, 1 object, [\\d.]+ \\w+  ${name}/$`),
      ),
      `${' '.repeat(16)}  SavepointCorrupt  zzz/`,
      '',
    ]);
    const all = records((await savepoint('ls', '--json', at('savepoints/'))).out);
    expect(all).toEqual([
      { uri: at(`${left}/`), complete: false, at: anyText, objects: 1, bytes: 3 },
      {
        ...{ uri: `${uri}/`, complete: true, job: 'visits', checkpoint: 1, at: anyText, objects: 1 },
        bytes: expect.any(Number) as unknown,
      },
      {
        ...{ uri: at('savepoints/zzz/'), complete: false },
        error: { code: 'SavepointCorrupt', message: anyText },
      },
    ]);
    // One savepoint.
    expect(records((await savepoint('ls', '--json', uri)).out)).toEqual([all[1]]);
    // A directory of jobs has none, not even one of a job that is copying a savepoint.
    await put(place.store, {
      [`${place.prefix}checkpoints/starting/data/0000000000/abcdefghijkl/0000000001/x.state`]: 'x',
    });
    expect((await savepoint('ls', at('checkpoints'))).out).toBe('');
    expect(folder).toMatch(/^savepoints\//);
  });

  test('verify: every object in its size', async () => {
    const uri = await created();
    const { code, out } = await savepoint('verify', uri);
    expect({ code, out }).toEqual({
      code: 0,
      out: expect.stringMatching(
        new RegExp(`^Savepoint 1 of job visits, ${day}: 1 object, [\\d.]+ \\w+, not signed\n$`),
      ) as unknown,
    });
    expect(records((await savepoint('verify', '--json', uri)).out)).toMatchObject([
      { uri: `${uri}/`, job: 'visits', checkpoint: 1, objects: 1, signature: 'none' },
    ]);
    const [data = ''] = (await below('savepoints/')).filter((key) => key.endsWith('.state'));
    await put(place.store, { [place.prefix + data]: 'short' });
    const short = await savepoint('verify', uri);
    expect(short.code).toBe(1);
    expect(short.err).toMatch(/SavepointCorrupt: .*\.state has 5 bytes, not \d+/);
    await answer(place.store.delete([place.prefix + data]));
    const { code: failed, err } = await savepoint('verify', '--json', uri);
    expect(failed).toBe(1);
    expect(records(err)).toMatchObject([
      {
        type: 'failure',
        uri: at(data),
        code: 'SavepointCorrupt',
        message: /is missing/.exec(err) && anyText,
      },
      { type: 'error', code: 'SavepointCorrupt', exitCode: 1 },
    ]);
    expect(await savepoint('verify', at('nothing'))).toMatchObject({
      ...{ code: 3, err: expect.stringContaining('SavepointNotFound') as unknown },
    });
  });

  test('create and verify: a signature', async () => {
    const key = (letter: string) => ['--set', `execution.checkpointing.sign.keys=${letter.repeat(32)}`];
    await ran({
      name: 'signed',
      checkpoints: { dir: `memory://lake/${place.prefix}checkpoints`, sign: { keys: 'k'.repeat(32) } },
    });
    const job = at('checkpoints/signed');
    expect((await savepoint('create', ...key('x'), job, at('savepoints'))).err).toContain(
      'ManifestNotTrusted',
    );
    // The job reaches the store by another URI.
    const moved = ['--set', 'execution.checkpointing.sign.accept=moved'];
    const { out } = await savepoint('create', ...key('k'), ...moved, job, at('savepoints'));
    const verified = async (...more: string[]) => await savepoint('verify', ...more, out.trim());
    expect((await verified()).out).toContain('signed, not checked: no key');
    expect((await verified(...key('k'))).out).toMatch(/, signed\n/);
    expect(await verified(...key('x'))).toMatchObject({
      ...{ code: 1, err: expect.stringContaining('ManifestNotTrusted') as unknown },
    });
  });

  test('cp: a copy under the same name, which can be repeated', async () => {
    const uri = await created();
    const folder = uri.slice(place.uri.length);
    const { code, out } = await savepoint('cp', uri, at('archive'));
    expect({ code, out }).toEqual({ code: 0, out: `${at(folder.replace('savepoints', 'archive'))}\n` });
    const [before, after] = await Promise.all(
      ['savepoints/', 'archive/'].map(async (path) =>
        Object.values(await contents(place.store, place.prefix + path)),
      ),
    );
    expect(after).toEqual(before);
    expect((await savepoint('verify', out.trim())).code).toBe(0);
    const again = await savepoint('cp', '--json', uri, at('archive'));
    expect(records(again.out)).toEqual([{ type: 'copied', uri: out.trim(), objects: 0, bytes: 0 }]);
    // Another savepoint is not overwritten.
    await put(place.store, {
      [`${place.prefix}${folder.replace('savepoints', 'archive')}/root`]: 'another',
    });
    expect(await savepoint('cp', uri, at('archive'))).toMatchObject({
      ...{ code: 1, err: expect.stringContaining('SavepointExists') as unknown },
    });
  });

  test('rm: what belongs to a savepoint, and nothing else', async () => {
    const uri = await created();
    const folder = uri.slice(place.uri.length);
    const other = await created();
    await put(place.store, { [`${place.prefix}${folder}/note`]: 'mine' });
    const before = await below('');
    const dry = await savepoint('rm', '--dry-run', '--json', uri);
    expect(records(dry.out)).toMatchObject([{ type: 'would remove', uri: `${uri}/`, objects: 1 }]);
    expect(await below('')).toEqual(before);
    const { code, out } = await savepoint('rm', '--json', uri);
    expect(code).toBe(0);
    expect(records(out)).toMatchObject([{ type: 'removed', uri: `${uri}/`, objects: 1 }]);
    const removed = (key: string): boolean => !key.includes(`${folder}/`) || key.endsWith('/note');
    expect(await below('')).toEqual(before.filter(removed));
    expect((await savepoint('verify', other)).code).toBe(0);
    expect(await savepoint('rm', uri)).toMatchObject({
      ...{ code: 3, err: expect.stringContaining('SavepointNotFound') as unknown },
    });
  });

  test('rm: incomplete ones are removed on request, with their uploads', async () => {
    const uri = await created();
    const folder = place.prefix + uri.slice(place.uri.length);
    await answer(place.store.delete([`${folder}/root`]));
    await answer(place.store.createUpload(`${folder}/data/0000000000/abcdefghijkl/0000000001/y.state`));
    expect(await savepoint('rm', uri)).toMatchObject({
      ...{ code: 1, err: expect.stringContaining('SavepointIncomplete') as unknown },
    });
    expect(await savepoint('rm', '--incomplete', uri)).toMatchObject({ code: 0 });
    expect(await below('savepoints/')).toEqual([]);
    expect(await uploadsOf(place.store, folder)).toBe(0);
  });

  test.each([
    ['the directory of a job', 'checkpoints/visits', 2, 'checkpoint directory of a job'],
    ['a directory of jobs', 'checkpoints', 3, 'SavepointNotFound'],
    ['a job that is copying a savepoint', 'checkpoints/starting', 2, 'not named like a savepoint'],
    ['a job that has begun with one', 'checkpoints/adopted', 2, 'checkpoint directory of a job'],
    ['a folder that has more', 'savepoints/savepoint-x-20200101T000000Z-abcdef', 2, 'do not belong'],
  ])('rm: never %s', async (_what, path, code, error) => {
    const data = 'data/0000000000/abcdefghijkl/0000000001/x.state';
    const strange = 'savepoints/savepoint-x-20200101T000000Z-abcdef';
    await put(place.store, {
      [`${place.prefix}checkpoints/starting/${data}`]: 'x',
      [`${place.prefix}checkpoints/adopted/${data}`]: 'x',
      [`${place.prefix}checkpoints/adopted/log/${'1'.padStart(20, '0')}`]: 'x',
      [`${place.prefix}${strange}/${data}`]: 'x',
      [`${place.prefix}${strange}/mine`]: 'x',
    });
    const before = await below('');
    const failed = await savepoint('rm', '--incomplete', at(path));
    expect(failed).toMatchObject({ code, err: expect.stringContaining(error) as unknown });
    expect(await below('')).toEqual(before);
  });
});

/** Standard error that notes when the bar is there. */
class Watched extends Kept {
  readonly shown: Promise<void>;
  #show: () => void = () => undefined;

  constructor(terminal: boolean) {
    super(terminal);
    this.shown = new Promise((resolve) => (this.#show = resolve));
  }

  override _write(chunk: Uint8Array, encoding: BufferEncoding, done: () => void): void {
    super._write(chunk, encoding, done);
    if (this.text.includes('Copying')) this.#show();
  }
}

describe('the progress of a copy', () => {
  const made = async () => {
    const lake = createMemoryStore({ uri: 'memory://lake' });
    const stderr = { current: new Kept() };
    // Nothing is copied before the bar is on the terminal.
    const store = decorate(lake, (call, run) =>
      stderr.current instanceof Watched && call.method !== 'head' && /^archive.*state$/.test(call.key)
        ? from(stderr.current.shown).pipe(mergeMap(() => run))
        : run,
    );
    const stores = createStores({ schemes: { memory: () => store } });
    const opened = { ...stores, close: () => undefined, [Symbol.dispose]: () => undefined };
    await put(lake, { 'in/1.ndjson': '{"user":"ada"}\n' });
    const job = createJob({
      name: 'visits',
      checkpoints: { dir: 'memory://lake/checkpoints' },
      stores,
      logger: silentLogger,
    });
    await job.run(
      job
        .source('in', files('memory://lake/in/', { format: ndjson<{ user: string }>() }))
        .pipe(
          countByKey('counts', { key: ({ user }) => user }),
          fileSink('out', 'memory://lake/out', { format: ndjson() }),
        ),
    );
    return (argv: readonly string[], to: Kept) => {
      stderr.current = to;
      return cli(['savepoint', ...argv], { stores: opened, stderr: to });
    };
  };

  test.each(['create', 'cp'])('%s shows a bar on a terminal, which disappears', async (command) => {
    const run = await made();
    const { out: uri } = await run(
      ['create', 'memory://lake/checkpoints/visits', 'memory://lake/savepoints'],
      new Kept(),
    );
    const from = command === 'create' ? 'memory://lake/checkpoints/visits' : uri.trim();
    const { code, err, out } = await run([command, from, 'memory://lake/archive'], new Watched(true));
    expect(code).toBe(0);
    expect(out).toMatch(/^memory:\/\/lake\/archive\/.*\n$/);
    expect(err).toMatch(/Copying {3}0%/);
    expect(err.lastIndexOf('\u001b[2K')).toBeGreaterThan(err.lastIndexOf('Copying'));
  });

  test.each([
    ['without a terminal', false, []],
    ['with --json', true, ['--json']],
    ['with --quiet', true, ['--quiet']],
  ])('%s there is none', async (_, terminal, options) => {
    const run = await made();
    const folders = ['memory://lake/checkpoints/visits', 'memory://lake/savepoints'];
    expect(await run(['create', ...options, ...folders], new Kept(terminal))).toMatchObject({
      code: 0,
      err: '',
    });
  });
});
