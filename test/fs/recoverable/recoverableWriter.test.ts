import { concatMap, lastValueFrom, map, NEVER } from 'rxjs';
import { createMemoryStore, decorate, type ObjectStore } from 'millrace/stores';
import { crashAt } from '#src/store/decorators/faults.js';
import { InFlight } from '../../store/inFlight.js';
import { effort } from '../../support/effort.js';
import { failingAt, name, program, recovered, type Durable } from './model.js';
import {
  codeOf,
  content,
  inMemory,
  objectsIn,
  overGateway,
  part,
  uploadsIn,
  writerOn,
  type Place,
} from './support.js';

const memory = (completeSubset = true) =>
  createMemoryStore({ uri: 'memory://lake', minimumPartSize: part, completeSubset });
const key = `out/${name}`;

const whole: Durable = { state: undefined, size: 3 * part + 8 };
const cases = Array.from({ length: 30 }, (_, i) => i + 1).flatMap((n) =>
  (['before', 'after'] as const).map((when) => [n, when] as const),
);

describe.each([
  ['in memory', inMemory, cases],
  ['over a gateway', overGateway, cases.filter((_, i) => i % effort(5, 1) === 0)],
] as const)('%s, a file is what its last durable checkpoint says', (_, start, cases) => {
  let place: Place;
  beforeAll(async () => {
    place = await start();
  });
  afterAll(() => place.close());

  test('wherever the process crashes', async () => {
    let crashes = 0;
    for (const [n, when] of cases) {
      const inFlight = new InFlight();
      const store = inFlight.wrap(place.open());
      const mortal = crashAt(store, n, when);
      const durable: Durable = { ...whole, size: 0 };
      const run = { over: false };
      const running = program(writerOn(mortal.store), durable).then(() => (run.over = true));
      while (!mortal.dead && !run.over) await Promise.race([running, new Promise(setImmediate)]);
      if (mortal.dead) crashes++;
      await inFlight.none();
      await recovered(store, durable);
      const found = await objectsIn(store);
      // A tail that the caller has no name for stays.
      if (durable.state === undefined) expect(Object.keys(found).filter((each) => each === key)).toEqual([]);
      else expect(found).toEqual({ [key]: content(durable.size) });
    }
    expect(crashes).toBeGreaterThan(cases.length / 5);
  });

  test('whichever request fails, and the writer is closed properly', async () => {
    for (const [n, when] of cases) {
      const store = place.open();
      const durable: Durable = { ...whole, size: 0 };
      const writer = writerOn(failingAt(store, n, when));
      await program(writer, durable).catch(() => undefined);
      await writer.close();
      const created = n === 1 && when === 'after'; // its id is unknown
      if (durable.state === undefined) expect(await uploadsIn(store)).toBe(created ? 1 : 0);
      await recovered(store, durable);
      expect(await uploadsIn(store)).toBe(0 + (created ? 1 : 0));
      const expected = durable.state === undefined ? {} : { [key]: content(durable.size) };
      expect(await objectsIn(store)).toEqual(expected);
    }
  });
});

describe('a commit', () => {
  /** A file whose resumable is durable, with its writer, which was thought dead. */
  async function sealed(store: ObjectStore) {
    const writer = writerOn(store);
    const file = await writer.open(name);
    await file.write(content(part + 3));
    const resumable = await file.persist();
    return { writer, file, committable: writer.recover(resumable), size: part + 3 };
  }

  test('survives late parts of a writer that was thought dead', async () => {
    const store = memory();
    const { committable, file, size } = await sealed(store);
    await file.write(content(2 * part)); // parts that the resumable does not have
    const { uploadId } = (await lastValueFrom(store.listUploads({ prefix: '' }))).uploads[0]!;
    let left = 3;
    // Between the tail and Complete, a late request overwrites the part that has the tail.
    const late = store.uploadPart(key, uploadId, 2, content(2 * part));
    const racing = decorate(store, ({ method }, run) =>
      method === 'uploadPart' && left-- > 0
        ? run.pipe(concatMap((answer) => late.pipe(map(() => answer))))
        : run,
    );
    const writer = writerOn(racing);
    await writer.commit(committable);
    await writer.cleanup(committable);
    expect(left).toBe(-1);
    expect(await objectsIn(store)).toEqual({ [key]: content(size) });
    await file.close();
  });

  test('of a file that a lifecycle rule has removed is LostUpload, with the upload and the rule; or accepted', async () => {
    const store = memory();
    const { committable, writer } = await sealed(store);
    const { uploads } = await lastValueFrom(store.listUploads({ prefix: '' }));
    for (const { key: of, uploadId } of uploads)
      await lastValueFrom(store.abortUpload(of, uploadId), { defaultValue: undefined });
    const lost = writer.commit(committable);
    expect(await codeOf(lost)).toBe('LostUpload');
    await expect(lost).rejects.toThrow(uploads[0]!.uploadId);
    await expect(lost).rejects.toThrow('AbortIncompleteMultipartUpload');
    const accepted = await writer.commit(committable, { onMissingCommitted: 'accept' });
    expect(accepted).toMatchObject({ size: part + 3, etag: undefined });
  });

  test('does not take the object of another for its own', async () => {
    const store = memory();
    const { committable, writer } = await sealed(store);
    await writer.commit(committable);
    await lastValueFrom(store.put(key, content(part + 3, 1)));
    expect(await codeOf(writer.commit(committable))).toBe('ForeignObject');
    await lastValueFrom(store.delete([key]));
    expect(await codeOf(writer.commit(committable))).toBe('LostUpload');
  });

  test('of a stale resumable, after the file was committed from a later one, says that it may be stale', async () => {
    const store = memory();
    const { committable: stale, file, writer } = await sealed(store);
    await file.write(content(2 * part, part + 3));
    await writer.commit(await file.closeForCommit());
    const late = writer.commit(stale);
    expect(await codeOf(late)).toBe('ForeignObject');
    await expect(late).rejects.toThrow('that commit counts, and this one is stale: drop it');
    expect((await objectsIn(store))[key]).toEqual(content(3 * part + 3));
  });

  test('needs the tail, until it has published', async () => {
    const store = memory();
    const { committable, writer } = await sealed(store);
    const [tail = ''] = Object.keys(await objectsIn(store));
    expect(tail).toMatch(/^out\/\.millrace-tails\//);
    const body = (await lastValueFrom(store.get(tail))).chunks[0]!;
    await lastValueFrom(store.put(tail, content(3, 9)));
    expect(await codeOf(writer.commit(committable))).toBe('CorruptJournal');
    await lastValueFrom(store.delete([tail]));
    expect(await codeOf(writer.commit(committable))).toBe('LostJournal');
    await lastValueFrom(store.put(tail, body));
    await writer.commit(committable);
    await writer.cleanup(committable);
    expect(Object.keys(await objectsIn(store))).toEqual([key]);
    expect((await writer.commit(committable)).etag).toBeDefined();
  });
});

describe('a file', () => {
  test('without bytes becomes an empty object, closed or recovered', async () => {
    const store = memory();
    const writer = writerOn(store);
    const closed = await writer.open('closed');
    await writer.commit(await closed.closeForCommit());
    const open = await writer.open('open');
    await writer.commit(writer.recover(await open.persist()));
    expect(await objectsIn(store)).toEqual({ 'out/closed': Buffer.alloc(0), 'out/open': Buffer.alloc(0) });
  });

  test('that was persisted keeps its upload when it is closed; another leaves nothing', async () => {
    const store = memory();
    const writer = writerOn(store);
    await using named = await writer.open('named');
    await named.write(content(20));
    const resumable = await named.persist();
    await using other = await writer.open('other');
    await other.write(content(20));
    expect(await uploadsIn(store)).toBe(2);
    await writer.close();
    expect(await uploadsIn(store)).toBe(1);
    expect(await codeOf(named.write('x'))).toBe('WriterClosed');
    expect(await codeOf(writer.open('x'))).toBe('WriterClosed');
    const second = writerOn(store);
    await second.abandon(resumable);
    await second.abandon(resumable);
    expect(await uploadsIn(store)).toBe(0);
  });

  test('cannot be in the folder of tails, wherever that is', async () => {
    const store = memory();
    const refused = (name: string, tails?: string) =>
      expect(writerOn(store, true, tails).open(name)).rejects.toMatchObject({
        code: 'InvalidOption',
        message: `open: name: '${name}' is not allowed. It must be outside of the folder of tails.`,
      });
    await refused('.millrace-tails/x');
    await refused('.millrace-tails/deep/x');
    await refused('kept/tails/x', 'memory://lake/out/kept/tails');
    for (const [name, tails] of [
      ['.millrace-tails'],
      ['deep/.millrace-tails/x'],
      ['.millrace-tails/x', 'memory://lake/out/kept/tails/'],
      ['x', 'memory://lake/out/'],
      ['x', 'memory://lake/'],
    ] as const)
      await (await writerOn(store, true, tails).open(name)).close();
  });

  test('makes the requests that docs/recoverable-writer.md says', async () => {
    let made: string[] = [];
    const counted = decorate(memory(), ({ method }, run) => {
      made.push(method);
      return run;
    });
    const of = async <T>(call: Promise<T>): Promise<readonly [T, string]> => {
      const answer = await call;
      const requests = made.join(' ');
      made = [];
      return [answer, requests];
    };
    const writer = writerOn(counted);
    const [file, opening] = await of(writer.open(name));
    expect(opening).toBe('');
    expect((await of(file.write(content(1))))[1]).toBe('');
    expect((await of(file.persist()))[1]).toBe('createUpload');
    expect((await of(file.persist()))[1]).toBe('');
    await file.write(content(2 * part + 4, 1)); // a tail of five bytes is not inline
    const [resumable, persisting] = await of(file.persist());
    expect(persisting).toBe('uploadPart uploadPart put');
    await file.write('x');
    const [closed, closing] = await of(file.closeForCommit());
    expect(closing).toBe('uploadPart');
    const recovered = writer.recover(resumable);
    expect((await of(writer.commit(recovered)))[1]).toBe('get uploadPart completeUpload');
    expect((await of(writer.cleanup(resumable)))[1]).toBe('delete');
    expect((await of(writer.cleanup(recovered)))[1]).toBe('list');
    expect((await of(writer.abandon(closed)))[1]).toBe('abortUpload list');
  });

  test('takes bytes and strings, and nothing else', async () => {
    const file = await writerOn(memory()).open('a');
    for (const wrong of [{ a: 1 }, 5, null, undefined, [1, 2], new Date(0)])
      await expect(file.write(wrong as never)).rejects.toMatchObject({ code: 'NotBytes' });
    await file.write('ab');
    expect(file.size).toBe(2);
    await file.close();
  });

  test('has a URI that opens it, whatever its name', async () => {
    const writer = writerOn(memory());
    const file = await writer.open('50% ä/b');
    expect(file.uri).toBe('memory://lake/out/50%25%20%C3%A4/b');
    const { uri } = await writer.commit(await file.closeForCommit());
    expect(uri).toBe(file.uri);
  });

  test('is visible only when it is committed, with its metadata', async () => {
    const store = memory();
    const writer = writerOn(store);
    const file = await writer.open('a.json', { metadata: { from: 'test' }, content: { language: 'en' } });
    await file.write('[1,');
    await file.write(Buffer.from('2]'));
    expect(file).toMatchObject({ uri: 'memory://lake/out/a.json', size: 5 });
    const committable = await file.closeForCommit();
    expect(await objectsIn(store)).toEqual({});
    const { uri, size, etag } = await writer.commit(committable);
    const info = await lastValueFrom(store.head('out/a.json'));
    expect(info).toMatchObject({ etag, size, content: { type: 'application/json', language: 'en' } });
    expect(info.metadata).toMatchObject({ from: 'test' });
    expect(uri).toBe(file.uri);
  });

  test('cannot be persisted where Complete refuses to leave parts out; it can be closed', async () => {
    const store = memory(false);
    const writer = writerOn(store, false);
    const file = await writer.open(name);
    await file.write(content(20));
    expect(await codeOf(file.persist())).toBe('NotSupported');
    await writer.commit(await file.closeForCommit());
    expect(await objectsIn(store)).toEqual({ [key]: content(20) });
  });

  test('waits while the parts in flight take their share of memory; an abort ends what is pending', async () => {
    let asked = 0;
    const silent = decorate(memory(), ({ method }, run) => {
      if (method !== 'uploadPart') return run;
      asked++;
      return NEVER;
    });
    const aborted = new AbortController();
    const file = await writerOn(silent).open(name, { signal: aborted.signal });
    let written = false;
    const pending = file.write(content(100 * part)).then(() => (written = true));
    const behind = file.persist();
    for (let i = 0; i < 20; i++) await new Promise(setImmediate);
    expect({ asked, written }).toEqual({ asked: 2, written: false });
    aborted.abort();
    expect(await Promise.all([codeOf(pending), codeOf(behind)])).toEqual(['ABORT_ERR', 'ABORT_ERR']);
    await file.close();
    expect(await codeOf(file.persist())).toBe('ABORT_ERR');
  });
});

describe('names', () => {
  test.each(['', '/', '/a', 'a/', '.', '..', 'a/../b', './a', 'a\0'])('%j is refused', async (bad) => {
    expect(await codeOf(writerOn(memory()).open(bad))).toBe('InvalidOption');
  });
});
