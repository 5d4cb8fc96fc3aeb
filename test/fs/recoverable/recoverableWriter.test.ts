import { concatMap, lastValueFrom, map, NEVER, Observable } from 'rxjs';
import fc from 'fast-check';
import {
  createMemoryStore,
  decorate,
  StoreError,
  type ObjectStore,
  type RecoverableFile,
  type RecoverableWriter,
} from 'millrace/stores';
import { crashAt } from '#src/store/decorators/faults.js';
import { effort } from '../../support/effort.js';
import { codeOf, content, objectsIn, part, uploadsIn, writerOn } from './support.js';

const memory = (completeSubset = true) =>
  createMemoryStore({ uri: 'memory://lake', minimumPartSize: part, completeSubset });
const name = 'a.bin';
const key = `out/${name}`;

/** What the caller's checkpoints hold: the last string that was stored, and how many bytes it stands for. */
interface Durable {
  state: string | undefined;
  size: number;
}

/** Writes a file of 40 bytes and a tail that is too long to be inline, with checkpoints between; each is durable at once. */
async function program(writer: RecoverableWriter, durable: Durable): Promise<void> {
  const file = await writer.open(name);
  const write = async (size: number): Promise<void> => file.write(content(size, file.size));
  const keep = (state: string): void => void Object.assign(durable, { state, size: file.size });
  await write(2 * part + 3);
  keep(await file.persist());
  await write(part);
  keep(await file.persist());
  await write(5);
  keep(await file.closeForCommit());
  await writer.commit(durable.state ?? '');
  await writer.commit(durable.state ?? '');
}

const isResumable = (state: string): boolean => state.startsWith('millrace-resumable');

/** What a caller does after a crash, or after another. */
async function recovered(store: ObjectStore, { state }: Durable): Promise<void> {
  if (state === undefined) return;
  const writer = writerOn(store);
  const committable = isResumable(state) ? writer.recover(state) : state;
  await writer.commit(committable);
  await writer.commit(committable);
  await writer.cleanup(committable);
  await writer.commit(committable);
  await writer.close();
}

/** A store that fails its n-th request, before or after its effect. */
function failingAt(inner: ObjectStore, n: number, when: 'before' | 'after'): ObjectStore {
  let calls = 0;
  const failure = new StoreError('Unavailable', 'The server does not answer.');
  return decorate(inner, (_, run) => {
    const fails = ++calls === n;
    if (!fails) return run;
    return new Observable((out) => {
      if (when === 'after') run.subscribe({ error: () => undefined });
      out.error(failure);
    });
  });
}

const whole: Durable = { state: undefined, size: 3 * part + 8 };
const cases = Array.from({ length: 30 }, (_, i) => i + 1).flatMap((n) =>
  (['before', 'after'] as const).map((when) => [n, when] as const),
);

describe('a file is what its last durable checkpoint says', () => {
  test('wherever the process crashes', async () => {
    let crashes = 0;
    for (const [n, when] of cases) {
      const store = memory();
      const mortal = crashAt(store, n, when);
      const durable: Durable = { ...whole, size: 0 };
      const run = { over: false };
      const running = program(writerOn(mortal.store), durable).then(() => (run.over = true));
      while (!mortal.dead && !run.over) await Promise.race([running, new Promise(setImmediate)]);
      if (mortal.dead) crashes++;
      await recovered(store, durable);
      const found = await objectsIn(store);
      // A tail that the caller has no name for stays.
      if (durable.state === undefined) expect(Object.keys(found).filter((each) => each === key)).toEqual([]);
      else expect(found).toEqual({ [key]: content(durable.size) });
    }
    expect(crashes).toBeGreaterThan(12);
  });

  test('whichever request fails, and the writer is closed properly', async () => {
    for (const [n, when] of cases) {
      const store = memory();
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

  test('in any order of writes, checkpoints, crashes and recoveries', () =>
    fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 14 }), async (steps) => {
        const model = new Model();
        for (const each of steps) await model.run(each);
        await model.end();
      }),
      { numRuns: effort(60, 1000) },
    ));
});

type Step =
  | { readonly do: 'write'; readonly size: number }
  | { readonly do: 'persist' | 'close' | 'crash' | 'fail' | 'commit' | 'zombie' | 'cleanup' };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant('write' as const), size: fc.integer({ min: 0, max: 3 * part }) }),
  fc.record({
    do: fc.constantFrom(
      'persist' as const,
      'persist' as const,
      'close' as const,
      'crash' as const,
      'fail' as const,
      'commit' as const,
      'zombie' as const,
      'cleanup' as const,
    ),
  }),
);

/**
 * A caller with a log of checkpoints. Zombies are files of processes that were thought dead: they go on.
 */
class Model {
  readonly #store = createMemoryStore({ uri: 'memory://lake', minimumPartSize: part });
  #writer = writerOn(this.#store);
  #file: { readonly open: RecoverableFile; readonly name: string } | undefined;
  #files = 0;
  #durable: (Durable & { readonly name: string }) | undefined;
  readonly #pending: { readonly committable: string; readonly name: string; readonly size: number }[] = [];
  readonly #published = new Map<string, number>();
  readonly #zombies: RecoverableFile[] = [];

  async run(step: Step): Promise<void> {
    switch (step.do) {
      case 'write': {
        const { open } = await this.#current();
        return open.write(content(step.size, open.size));
      }
      case 'persist': {
        const { open, name } = await this.#current();
        const earlier = this.#durable;
        this.#durable = { state: await open.persist(), size: open.size, name };
        if (earlier?.state !== undefined && earlier.state !== this.#durable.state)
          await this.#writer.cleanup(earlier.state);
        return;
      }
      case 'close': {
        const { open, name } = await this.#current();
        this.#pending.push({ committable: await open.closeForCommit(), name, size: open.size });
        this.#file = this.#durable = undefined;
        return;
      }
      case 'crash':
        if (this.#file !== undefined) this.#zombies.push(this.#file.open);
        this.#restart();
        return;
      case 'fail':
        await this.#writer.close();
        this.#restart();
        return;
      case 'commit':
        return this.#commit();
      case 'zombie':
        for (const zombie of this.#zombies) {
          // It has reached its checkpoint, but the log is not its own any more.
          await zombie.write(content(2 * part, zombie.size + 1)).catch(() => undefined);
          await zombie.persist().catch(() => undefined);
        }
        return;
      case 'cleanup':
        for (const { committable, name } of this.#pending)
          if (this.#published.has(name)) await this.#writer.cleanup(committable);
    }
  }

  async end(): Promise<void> {
    await this.#commit();
    await this.#commit();
    for (const { committable } of this.#pending) await this.#writer.cleanup(committable);
    await this.#commit();
    const left = this.#durable === undefined ? 0 : 1;
    const found = await objectsIn(this.#store);
    for (const [name, size] of this.#published) expect(found[`out/${name}`]).toEqual(content(size));
    const isTail = (each: string): boolean => each.startsWith('out/.millrace-tails/');
    const tails = Object.keys(found).filter(isTail);
    expect(Object.keys(found).length - tails.length).toBe(this.#published.size);
    expect(tails.length).toBeLessThanOrEqual(left + this.#zombies.length * 20);
  }

  async #current(): Promise<{ readonly open: RecoverableFile; readonly name: string }> {
    const name = `${this.#files}`;
    if (this.#file === undefined) this.#files++;
    return (this.#file ??= { open: await this.#writer.open(name), name });
  }

  /** A new process: it has only the log. */
  #restart(): void {
    this.#writer = writerOn(this.#store);
    this.#file = undefined;
    const { state, size, name } = this.#durable ?? {};
    if (state !== undefined && size !== undefined && name !== undefined)
      this.#pending.push({ committable: this.#writer.recover(state), name, size });
    this.#durable = undefined;
  }

  async #commit(): Promise<void> {
    for (const { committable, name, size } of this.#pending) {
      await this.#writer.commit(committable);
      this.#published.set(name, size);
    }
  }
}

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
  test.each(['', '/', 'a/', '.', '..', 'a/../b', './a', 'a\0'])('%j is refused', async (bad) => {
    expect(await codeOf(writerOn(memory()).open(bad))).toBe('InvalidOption');
  });
});
