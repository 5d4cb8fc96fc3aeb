/** A caller of a recoverable writer with a log of checkpoints, on any store with small parts. */
import fc from 'fast-check';
import { lastValueFrom, Observable } from 'rxjs';
import {
  decorate,
  StoreError,
  type ObjectStore,
  type RecoverableFile,
  type RecoverableWriter,
} from 'millrace/stores';
import { codeOf, content, objectsIn, part, writerOn } from './support.js';

export const name = 'a.bin';

/** What the caller's checkpoints hold: the last string that was stored, and how many bytes it stands for. */
export interface Durable {
  state: string | undefined;
  size: number;
}

/** Writes a file of 40 bytes and a tail that is too long to be inline, with checkpoints between; each is durable at once. */
export async function program(writer: RecoverableWriter, durable: Durable): Promise<void> {
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
export async function recovered(store: ObjectStore, { state }: Durable): Promise<void> {
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
export function failingAt(inner: ObjectStore, n: number, when: 'before' | 'after'): ObjectStore {
  let calls = 0;
  return decorate(inner, (_, run) => (++calls === n ? failing(run, when) : run));
}

function failing<T>(run: Observable<T>, when: 'before' | 'after'): Observable<T> {
  return new Observable((out) => {
    const fail = (): void => out.error(new StoreError('Unavailable', 'The server does not answer.'));
    if (when === 'after') run.subscribe({ error: fail, complete: fail });
    else fail();
  });
}

export type Step =
  | { readonly do: 'write'; readonly size: number }
  /** The request after `after` others gets no answer. */
  | { readonly do: 'fails'; readonly after: number; readonly when: 'before' | 'after' }
  | { readonly do: (typeof simple)[number] };

const simple = [
  ...(['persist', 'persist', 'close', 'crash', 'fail', 'commit', 'zombie', 'cleanup'] as const),
  // A lifecycle rule removes all unfinished uploads, and another program writes over what is published or lost.
  ...(['removed', 'foreign'] as const),
];

export const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant('write' as const), size: fc.integer({ min: 0, max: 3 * part }) }),
  fc.record({
    do: fc.constant('fails' as const),
    after: fc.integer({ min: 0, max: 5 }),
    when: fc.constantFrom('before' as const, 'after' as const),
  }),
  { arbitrary: fc.record({ do: fc.constantFrom(...simple) }), weight: 2 },
);

/** What the caller has to publish, and what must be at its key. */
interface Pending {
  readonly committable: string;
  readonly name: string;
  readonly size: number;
  state: 'unpublished' | 'published' | 'lost';
  foreign: boolean;
  /** Its tails were removed. */
  clean: boolean;
}

/** Of another program, as long as ours. */
const stranger = (size: number): Buffer => content(size, 7);

/** What a store is like. */
interface Place {
  /** The bytes of a part. Writes of `Step`s grow with it. */
  readonly partSize: number;
  /** Whether Complete may leave parts out; otherwise nothing is persisted. */
  readonly subset: boolean;
}

/**
 * A caller with a log of checkpoints. Zombies are files of processes that were thought dead: they go on.
 */
export class Model {
  readonly #store: ObjectStore;
  readonly #place: Place;
  readonly #failingStore: ObjectStore;
  #fails: { after: number; readonly when: 'before' | 'after' } | undefined;
  /** Requests that got no answer. */
  #failures = 0;
  /** Those before the last call that reported one. */
  #reported = 0;
  #writer: RecoverableWriter;
  #file: { readonly open: RecoverableFile; readonly name: string } | undefined;
  #files = 0;
  #durable: (Durable & { readonly name: string }) | undefined;
  readonly #pending: Pending[] = [];
  readonly #zombies: RecoverableFile[] = [];

  constructor(store: ObjectStore, place: Place) {
    this.#store = store;
    this.#place = place;
    this.#failingStore = decorate(store, (_, run) => {
      const fails = this.#fails;
      if (fails === undefined || fails.after-- > 0) return run;
      this.#fails = undefined;
      this.#failures++;
      return failing(run, fails.when);
    });
    this.#writer = this.#newWriter();
  }

  async run(step: Step): Promise<void> {
    switch (step.do) {
      case 'fails':
        this.#fails = { after: step.after, when: step.when };
        return;
      case 'write':
        return this.#attempt(async () => {
          const { open } = await this.#current();
          await open.write(content(step.size * this.#unit, open.size));
        });
      case 'persist':
        if (!this.#place.subset) return;
        return this.#attempt(async () => {
          const { open, name } = await this.#current();
          const earlier = this.#durable;
          this.#durable = { state: await open.persist(), size: open.size, name };
          if (earlier?.state !== undefined && earlier.state !== this.#durable.state)
            await this.#writer.cleanup(earlier.state);
        });
      case 'close':
        return this.#attempt(async () => {
          const { open, name } = await this.#current();
          this.#add(await open.closeForCommit(), name, open.size);
          this.#file = this.#durable = undefined;
        });
      case 'crash':
        this.#crash();
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
          await zombie.write(content(2 * this.#place.partSize, zombie.size + 1)).catch(() => undefined);
          await zombie.persist().catch(() => undefined);
        }
        return;
      case 'cleanup':
        return this.#cleanUp(this.#pending.filter(({ state }) => state === 'published'));
      case 'removed':
        return this.#remove();
      case 'foreign':
        return this.#overwrite();
    }
  }

  async end(): Promise<void> {
    await this.#commit();
    await this.#commit();
    await this.#cleanUp(this.#pending);
    await this.#commit();
    const left = this.#durable === undefined ? 0 : 1;
    const found = await objectsIn(this.#store);
    const isTail = (each: string): boolean => each.startsWith('out/.millrace-tails/');
    const expected = this.#pending
      .filter(({ state, foreign }) => state === 'published' || foreign)
      .map(({ name, size, foreign }) => [`out/${name}`, foreign ? stranger(size) : content(size)] as const);
    expect(Object.fromEntries(Object.entries(found).filter(([key]) => !isTail(key)))).toEqual(
      Object.fromEntries(expected),
    );
    const tails = Object.keys(found).filter(isTail);
    expect(tails.length).toBeLessThanOrEqual(left + (this.#zombies.length + this.#failures) * 20);
  }

  get #unit(): number {
    return this.#place.partSize / part;
  }

  #newWriter(): RecoverableWriter {
    const { partSize, subset } = this.#place;
    return writerOn(this.#failingStore, subset, undefined, partSize);
  }

  async #current(): Promise<{ readonly open: RecoverableFile; readonly name: string }> {
    const name = `${this.#files}`;
    if (this.#file === undefined) this.#files++;
    return (this.#file ??= { open: await this.#writer.open(name), name });
  }

  /** A request without an answer makes the file unusable: it is closed, and the last checkpoint counts. */
  async #attempt(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      expect(error).toMatchObject({ code: 'Unavailable' });
      expect(this.#failures).toBeGreaterThan(this.#reported);
      this.#reported = this.#failures;
      await this.#writer.close();
      this.#restart();
    }
  }

  #crash(): void {
    if (this.#file !== undefined) this.#zombies.push(this.#file.open);
    this.#restart();
  }

  /** A new process: it has only the log. */
  #restart(): void {
    this.#writer = this.#newWriter();
    this.#file = undefined;
    const { state, size, name } = this.#durable ?? {};
    if (state !== undefined && size !== undefined && name !== undefined)
      this.#add(this.#writer.recover(state), name, size);
    this.#durable = undefined;
  }

  #add(committable: string, name: string, size: number): void {
    this.#pending.push({ committable, name, size, state: 'unpublished', foreign: false, clean: false });
  }

  async #commit(): Promise<void> {
    for (const file of this.#pending) {
      const code = await this.#answer(() => this.#writer.commit(file.committable));
      if (file.state === 'unpublished') file.state = 'published';
      if (!file.foreign && file.state === 'published') expect(code).toBeUndefined();
      else if (file.clean) expect(['LostJournal', 'ForeignObject', 'LostUpload']).toContain(code);
      else expect(code).toBe(file.foreign ? 'ForeignObject' : 'LostUpload');
      if (code !== 'LostUpload') continue;
      const accepted = { onMissingCommitted: 'accept' } as const;
      expect(await this.#answer(() => this.#writer.commit(file.committable, accepted))).toBeUndefined();
    }
  }

  async #cleanUp(files: readonly Pending[]): Promise<void> {
    for (const file of files) {
      expect(await this.#answer(() => this.#writer.cleanup(file.committable))).toBeUndefined();
      file.clean = true;
    }
  }

  /** What a call ends with, once all of its requests have an answer. */
  async #answer(call: () => Promise<unknown>): Promise<string | undefined> {
    const code = await codeOf(call());
    return code === 'Unavailable' ? this.#answer(call) : code;
  }

  /** While no process runs. */
  async #remove(): Promise<void> {
    this.#crash();
    const { uploads } = await lastValueFrom(this.#store.listUploads({ prefix: '' }));
    for (const { key, uploadId } of uploads)
      await lastValueFrom(this.#store.abortUpload(key, uploadId), { defaultValue: undefined });
    for (const file of this.#pending) if (file.state === 'unpublished') file.state = 'lost';
  }

  async #overwrite(): Promise<void> {
    for (const file of this.#pending) {
      if (file.state === 'unpublished') continue;
      await lastValueFrom(this.#store.put(`out/${file.name}`, stranger(file.size)));
      file.foreign = true;
    }
  }
}
