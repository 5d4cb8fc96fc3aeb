import { lastValueFrom, toArray, type Observable } from 'rxjs';
import { createOperations } from '../../src/fs/operations/index.js';
import { listAll } from '../../src/store/helpers.js';
import { createMemoryStore } from '../../src/store/memory/index.js';
import type { ObjectStore } from '../../src/store/objectStore.js';
import { createStores } from '../../src/store/registry.js';

export const MiB = 2 ** 20;

/** Everything an Observable emits. */
export const all = <T>(from: Observable<T>): Promise<T[]> => lastValueFrom(from.pipe(toArray()));

/** The error of what must fail. */
export async function errorOf(from: Observable<unknown>): Promise<Error & { readonly code?: string }> {
  try {
    await all(from);
  } catch (error) {
    return error as Error;
  }
  throw new Error('It was to fail.');
}

/** Operations on stores by their names in `memory://name/…`. */
export function operationsOn(stores: Readonly<Record<string, ObjectStore>>) {
  return createOperations({
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
  for (const [key, body] of Object.entries(objects)) await lastValueFrom(store.put(key, Buffer.from(body)));
  return store;
}

/** What a store holds. */
export async function content(store: ObjectStore): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const { key } of (await all(listAll(store, ''))).flat()) {
    const { chunks } = await lastValueFrom(store.get(key));
    found[key] = Buffer.concat(chunks).toString('latin1');
  }
  return found;
}

/** Keys of the uploads under way. */
export async function uploadsOf(store: ObjectStore): Promise<string[]> {
  return (await lastValueFrom(store.listUploads({ prefix: '' }))).uploads.map(({ key }) => key);
}

/** So many bytes that no two parts are equal. */
export function bytes(size: number, seed = 0): Buffer {
  const body = Buffer.alloc(size);
  for (let at = 0; at < size; at += 4096)
    body.writeUInt32BE((at + seed * 7919) >>> 0, Math.min(at, Math.max(0, size - 4)));
  return body;
}
