import { gzipSync } from 'node:zlib';
import { of, Subject, type Observable } from 'rxjs';
import { systemClock, type Clock, type Json } from '../../src/flow/index.js';
import { filesSettings, type FilesOptions } from '../../src/sources/files.js';
import type { ObjectPosition } from '../../src/sources/filesPosition.js';
import { FilesReader } from '../../src/sources/filesReader.js';
import type { DeadLetter, Source, SourceOutput } from '../../src/sources/source.js';
import { createMemoryStore } from '../../src/store/memory/index.js';
import type { ObjectStore } from '../../src/store/objectStore.js';
import { stores, type Stores } from '../../src/store/services.js';
import { parseUri } from '../../src/path/index.js';
import { TestAttempt } from '../../src/testing/testAttempt.js';

/** Every URI leads to one store. */
export function storesOf(store: ObjectStore): Stores {
  return {
    open: (uri) => ({
      store,
      key: parseUri(uri).key,
      bucket: 'test',
      reserved: store,
      capabilities: of({ conditionalPut: true, completeSubset: true, minimumPartSize: 5 * 1024 * 1024 }),
    }),
  };
}

export function memoryWith(objects: Readonly<Record<string, string | Uint8Array>>): ObjectStore {
  const store = createMemoryStore({ uri: 'memory://lake' });
  for (const [key, content] of Object.entries(objects)) store.put(key, Buffer.from(content)).subscribe();
  return store;
}

export function gzipMembers(content: Buffer, cuts: readonly number[]): Buffer {
  const places = [...new Set([0, ...cuts.map((cut) => cut % (content.length + 1)), content.length])].sort(
    (a, b) => a - b,
  );
  if (places.length === 1) return gzipSync(content);
  return Buffer.concat(places.slice(1).map((to, i) => gzipSync(content.subarray(places[i], to))));
}

export function attemptOver(store: ObjectStore, clock: Clock = systemClock, position?: Json): TestAttempt {
  return new TestAttempt({
    clock,
    services: new Map([[stores, storesOf(store)]]),
    ...(position === undefined ? {} : { restored: new Map([['in', { snapshot: position, pending: [] }]]) }),
  });
}

/** `files`, with `slice` bytes per poll. */
export function slicedFiles<T>(
  uri: string | readonly string[],
  options: FilesOptions<T>,
  slice: number,
): Source<T> {
  const settings = { ...filesSettings(uri, options), slice };
  return { description: 'sliced', open: (context) => new FilesReader(settings, context) };
}

/** Passes records on, ignores dead letters, and has as much time as there is. */
export const outputTo = <T>(record: (value: T) => unknown = () => undefined): SourceOutput<T> => ({
  taken: 0,
  turnOver: false,
  record,
  deadLetter: () => undefined,
});

/** A position, as `files` with one object at a time stores it. */
export interface StoredPosition {
  readonly object?: ObjectPosition;
  readonly skipped: number;
}

export interface Reading<T> {
  readonly records: readonly T[];
  readonly letters: readonly DeadLetter[];
  readonly attempt: TestAttempt;
  readonly error: unknown;
  /** After each poll: the number of records so far, and the position. */
  readonly positions: readonly { readonly records: number; readonly position: Json; readonly held: number }[];
}

/** Pulls a source to its end or its failure. */
export async function readAll<T>(
  source: Source<T>,
  store: ObjectStore,
  position?: Json,
): Promise<Reading<T>> {
  const attempt = attemptOver(store);
  const records: T[] = [];
  const letters: DeadLetter[] = [];
  const positions: { records: number; position: Json; held: number }[] = [];
  const ready = new Subject<void>();
  let error: unknown;
  let inPoll = false;
  const reader = source.open({
    id: 'in',
    attempt,
    position,
    ready: () => {
      if (inPoll) throw new Error('ready inside poll');
      ready.next();
    },
    fail: (reason) => {
      error = reason;
      ready.next();
    },
  });
  const note = (): void => {
    const held = reader instanceof FilesReader ? reader.held : 0;
    positions.push({ records: records.length, position: reader.position(), held });
  };
  note();
  try {
    while (error === undefined) {
      inPoll = true;
      const result = reader.poll({
        ...outputTo<T>((value) => records.push(value)),
        deadLetter: (letter) => letters.push(letter),
      });
      inPoll = false;
      note();
      if (result === 'end') break;
      if (result === 'wait') await next(ready);
    }
  } catch (reason) {
    error = reason;
  }
  reader.close();
  return { records, letters, attempt, error, positions };
}

function next(ready: Observable<void>): Promise<void> {
  return new Promise((resolve) => {
    const subscription = ready.subscribe(() => {
      subscription.unsubscribe();
      resolve();
    });
  });
}
