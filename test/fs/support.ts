import { crc32 } from 'node:zlib';
import { lastValueFrom, Observable, toArray } from 'rxjs';
import { loadConfig, type TransferOptions } from '../../src/config/index.js';
import { createOperations } from '../../src/fs/operations/index.js';
import { decorate, StoreError } from '../../src/entries/stores.js';
import { listAll } from '../../src/store/helpers.js';
import { createMemoryStore } from '../../src/store/memory/index.js';
import type { ObjectStore } from '../../src/store/objectStore.js';
import { createStores } from '../../src/store/registry.js';

export const MiB = 2 ** 20;

/** Everything an Observable emits. */
export const all = <T>(from: Observable<T>): Promise<T[]> => lastValueFrom(from.pipe(toArray()));

/** The error of an Observable that must fail. */
export async function errorOf(from: Observable<unknown>): Promise<Error & { readonly code?: string }> {
  try {
    await all(from);
  } catch (error) {
    return error as Error;
  }
  throw new Error('It was to fail.');
}

/** Operations on stores by their names in `memory://name/…`. */
export function operationsOn(stores: Readonly<Record<string, ObjectStore>>, transfer?: TransferOptions) {
  return createOperations({
    config: loadConfig({ env: {}, file: false, ...(transfer === undefined ? {} : { transfer }) }),
    stores: createStores({
      schemes: {
        memory: (name) => {
          const store = stores[name];
          if (store === undefined) throw new Error(`There is no store ${name}.`);
          return store;
        },
      },
    }),
  });
}

/** A store that holds these objects. */
export async function filled(
  objects: Readonly<Record<string, string | Uint8Array>>,
  store = createMemoryStore(),
): Promise<ObjectStore> {
  for (const [key, body] of Object.entries(objects))
    await lastValueFrom(store.put(key, typeof body === 'string' ? Buffer.from(body) : body));
  return store;
}

/** A body for comparisons: itself, or the size and checksum of a large one. */
export function shown(...chunks: readonly (string | Uint8Array)[]): string {
  const bytes = chunks.map((chunk) => (typeof chunk === 'string' ? Buffer.from(chunk) : chunk));
  const size = bytes.reduce((sum, { length }) => sum + length, 0);
  if (size < MiB) return Buffer.concat(bytes).toString('latin1');
  return `${size}: ${bytes.reduce((crc, chunk) => crc32(chunk, crc), 0)}`;
}

/** What a store holds, as `shown`. */
export async function content(store: ObjectStore): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const { key } of (await all(listAll(store, ''))).flat()) {
    const { chunks } = await lastValueFrom(store.get(key));
    found[key] = shown(...chunks);
  }
  return found;
}

/** Keys of the unfinished uploads. */
export async function uploadsOf(store: ObjectStore): Promise<string[]> {
  return (await lastValueFrom(store.listUploads({ prefix: '' }))).uploads.map(({ key }) => key);
}

/** Bytes without two equal parts. */
export function bytes(size: number, seed = 0): Buffer {
  const body = Buffer.alloc(size);
  for (let at = 0; at < size; at += 4096)
    body.writeUInt32BE((at + seed * 7919) >>> 0, Math.min(at, Math.max(0, size - 4)));
  return body;
}

/**
 * Something that happens at the n-th request of several stores together (1 is the first): `before` it takes effect or
 * `after`. That request is not answered until `release`. In a crash, neither is any later one, and none takes effect.
 */
export class Interruption {
  reached = false;
  #calls = 0;
  readonly #answers: (() => void)[] = [];

  constructor(
    readonly n: number,
    readonly when: 'before' | 'after',
    readonly what: 'cancel' | 'crash',
  ) {}

  around(store: ObjectStore): ObjectStore {
    return decorate(
      store,
      (_, run) =>
        new Observable((out) => {
          if (this.reached && this.what === 'crash') return;
          this.#calls += 1;
          if (this.#calls !== this.n) {
            return run.subscribe({
              next: (answer) => this.#alive(() => out.next(answer)),
              error: (error: unknown) => this.#alive(() => out.error(error)),
              complete: () => this.#alive(() => out.complete()),
            });
          }
          this.reached = true;
          // It has left this process: an unsubscribe no longer reaches it.
          if (this.when === 'before')
            this.#answers.push(() => out.error(new StoreError('Unavailable', 'It never arrived.')));
          else
            run.subscribe({
              next: (answer) => this.#answers.push(() => out.next(answer)),
              error: (error: unknown) => this.#answers.push(() => out.error(error)),
              complete: () => this.#answers.push(() => out.complete()),
            });
          return;
        }),
    );
  }

  release(): void {
    for (const answer of this.#answers) answer();
  }

  #alive(answer: () => void): void {
    if (!this.reached || this.what === 'cancel') answer();
  }
}
