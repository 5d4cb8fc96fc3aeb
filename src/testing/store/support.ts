import assert from 'node:assert/strict';
import { lastValueFrom, tap, type Observable } from 'rxjs';
import { join } from '../../store/helpers.js';
import { listPages } from '../../store/pages.js';
import { isStoreError, type StoreErrorCode } from '../../store/errors.js';
import type { ListOptions, ObjectStore, UploadedPart } from '../../store/objectStore.js';

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** The answer of a request. */
export const answer = <T>(request: Observable<T>): Promise<T> => lastValueFrom(request);

/** The content of an object as a string. */
export async function read(store: ObjectStore, key: string): Promise<string> {
  return Buffer.from(join((await answer(store.get(key))).chunks)).toString();
}

/** Asserts that a request fails with one of these codes. */
export async function fails(
  request: Observable<unknown>,
  ...codes: readonly StoreErrorCode[]
): Promise<void> {
  let outcome: unknown;
  try {
    outcome = await answer(request);
  } catch (error) {
    assert.ok(isStoreError(error), `Expected a StoreError, got ${String(error)}`);
    if (codes.length > 0)
      assert.ok(
        codes.includes(error.code),
        `Expected ${codes.join(' or ')}, got ${error.code}: ${error.message}`,
      );
    assert.notEqual(error.message, '');
    return;
  }
  assert.fail(`Expected ${codes.join(' or ')}, got an answer: ${JSON.stringify(outcome)}`);
}

/** The outcomes of concurrent requests: answers, or codes of errors. */
export function outcomes<T>(
  requests: readonly Observable<T>[],
): Promise<({ answer: T } | { code: StoreErrorCode })[]> {
  return Promise.all(
    requests.map(async (request) => {
      try {
        return { answer: await answer(request) };
      } catch (error) {
        if (isStoreError(error)) return { code: error.code };
        throw error;
      }
    }),
  );
}

/** All pages of a listing, each as its keys and prefixes. */
export async function pages(
  store: ObjectStore,
  options: ListOptions,
): Promise<{ keys: string[]; prefixes: string[] }[]> {
  const all: { keys: string[]; prefixes: string[] }[] = [];
  await lastValueFrom(
    listPages(store, options).pipe(
      tap((page) => all.push({ keys: page.objects.map(({ key }) => key), prefixes: [...page.prefixes] })),
    ),
  );
  return all;
}

/** All keys below a prefix. */
export async function keysOf(store: ObjectStore, options: ListOptions): Promise<string[]> {
  return (await pages(store, options)).flatMap(({ keys }) => keys);
}

/** Uploads parts of these bodies, numbered from 1. */
export async function uploadParts(
  store: ObjectStore,
  key: string,
  uploadId: string,
  bodies: readonly Uint8Array[],
): Promise<UploadedPart[]> {
  const parts: UploadedPart[] = [];
  for (const [i, body] of bodies.entries())
    parts.push(await answer(store.uploadPart(key, uploadId, i + 1, body)));
  return parts;
}

/** Numbers in [0, 1) from a seed (mulberry32, public domain), so that every run uses the same keys. */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
