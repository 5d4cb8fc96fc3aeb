import { lastValueFrom, of } from 'rxjs';
import {
  createMemoryStore,
  createStores,
  S3Connection,
  type ObjectStore,
  type RecoverableWriter,
} from 'millrace/stores';
import { startGateway } from 'millrace/testing';
import { FolderWriter } from '#src/fs/recoverable/recoverableWriter.js';
import { systemClock, unlimited, type Clock } from '#src/flow/index.js';
import { credentials } from '../../store/s3support.js';

/** Bytes of a part in these tests. */
export const part = 8;

/** Waits take no time. */
const immediate: Clock = { ...systemClock, after: (_, work) => systemClock.yield(work) };

/** A writer of `memory://lake/out/` on any store. `tails`: the URI of their folder. */
export function writerOn(
  store: ObjectStore,
  completeSubset = true,
  tails?: string,
  partSize = part,
): RecoverableWriter {
  const stores = createStores({
    schemes: { memory: () => store },
    capabilities: () => of({ conditionalPut: true, completeSubset, minimumPartSize: partSize }),
  });
  return new FolderWriter(
    stores.open('memory://lake/out/'),
    tails === undefined ? undefined : stores.open(tails),
    {
      clock: immediate,
      random: () => 0.5,
      allow: unlimited,
      partSize,
      inFlight: 2,
      inlineTail: 2,
      onClose: () => undefined,
    },
  );
}

/** Opens empty stores, one after the other. */
export interface Place {
  open(): ObjectStore;
  close(): Promise<void>;
}

/** In memory. */
export function inMemory(): Promise<Place> {
  return Promise.resolve({
    open: () => createMemoryStore({ uri: 'memory://lake', minimumPartSize: part }),
    close: () => Promise.resolve(),
  });
}

/** In memory behind a gateway, so that answers come over HTTP. A store is empty when the next one is opened. */
export async function overGateway(): Promise<Place> {
  let store: ObjectStore = createMemoryStore();
  const newest = new Proxy(store, {
    get: (_, method: keyof ObjectStore) => {
      const value: unknown = store[method];
      return typeof value === 'function' ? (value.bind(store) as unknown) : value;
    },
  });
  const gateway = await startGateway({ buckets: { lake: newest }, credentials });
  const connection = new S3Connection({ endpoint: gateway.endpoint, credentials });
  return {
    open: () => {
      store = createMemoryStore({ uri: 'memory://lake', minimumPartSize: part });
      return connection.store('lake');
    },
    close: async () => {
      connection.close();
      await gateway.close();
    },
  };
}

/** `size` bytes that differ by their place in the file. */
export function content(size: number, from = 0): Buffer {
  return Buffer.alloc(size, Buffer.from(Array.from({ length: 251 }, (_, i) => (from + i) % 251)));
}

/** All keys, and what is in them. */
export async function objectsIn(store: ObjectStore, prefix = 'out/'): Promise<Record<string, Buffer>> {
  const { objects } = await lastValueFrom(store.list({ prefix }));
  const found: Record<string, Buffer> = {};
  for (const { key } of objects) found[key] = Buffer.concat((await lastValueFrom(store.get(key))).chunks);
  return found;
}

export async function uploadsIn(store: ObjectStore, prefix = ''): Promise<number> {
  return (await lastValueFrom(store.listUploads({ prefix }))).uploads.length;
}

/** The code of a rejected promise; `undefined` if it resolves. */
export async function codeOf(work: Promise<unknown>): Promise<string | undefined> {
  try {
    await work;
    return undefined;
  } catch (error) {
    return (error as { readonly code?: string }).code ?? String(error);
  }
}
