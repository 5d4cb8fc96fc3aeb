/** A caller of a recoverable writer with a log of checkpoints, on any store with small parts. */
import fc from 'fast-check';
import { Observable } from 'rxjs';
import {
  decorate,
  StoreError,
  type ObjectStore,
  type RecoverableFile,
  type RecoverableWriter,
} from 'millrace/stores';
import { content, objectsIn, part, writerOn } from './support.js';

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
  const failure = new StoreError('Unavailable', 'The server does not answer.');
  return decorate(inner, (_, run) => {
    const fails = ++calls === n;
    if (!fails) return run;
    return new Observable((out) => {
      const fail = (): void => out.error(failure);
      if (when === 'after') run.subscribe({ error: fail, complete: fail });
      else fail();
    });
  });
}

export type Step =
  | { readonly do: 'write'; readonly size: number }
  | { readonly do: 'persist' | 'close' | 'crash' | 'fail' | 'commit' | 'zombie' | 'cleanup' };

export const step: fc.Arbitrary<Step> = fc.oneof(
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
export class Model {
  readonly #store: ObjectStore;
  #writer: RecoverableWriter;
  #file: { readonly open: RecoverableFile; readonly name: string } | undefined;
  #files = 0;
  #durable: (Durable & { readonly name: string }) | undefined;
  readonly #pending: { readonly committable: string; readonly name: string; readonly size: number }[] = [];
  readonly #published = new Map<string, number>();
  readonly #zombies: RecoverableFile[] = [];

  constructor(store: ObjectStore) {
    this.#store = store;
    this.#writer = writerOn(store);
  }

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
