/** Whatever fails, a probe finds the truth, or fails with a retryable error. */
import fc from 'fast-check';
import {
  concat,
  concatMap,
  firstValueFrom,
  ignoreElements,
  lastValueFrom,
  throwError,
  type Observable,
} from 'rxjs';
import { decorate, type StoreCall } from '../../src/store/decorators/decorate.js';
import { retrying } from '../../src/store/decorators/retry.js';
import { isRetryable } from '../../src/errors.js';
import { StoreError, type StoreErrorCode } from '../../src/store/errors.js';
import { createMemoryStore } from '../../src/store/memory/index.js';
import type { ObjectStore } from '../../src/store/objectStore.js';
import { probe } from '../../src/store/probe.js';
import { fast } from './fastClock.js';
import { effort } from '../support/effort.js';

type Fate = 'fine' | 'twice' | { readonly code: StoreErrorCode; readonly effect: boolean };

const failed = (code: StoreErrorCode, effect: boolean): Fate => ({ code, effect });

/** A store whose requests end as told, one after the other; further ones are fine. */
function fated(
  inner: ObjectStore,
  fates: readonly Fate[],
  struck: (call: StoreCall) => boolean,
): ObjectStore {
  let next = 0;
  return decorate(inner, <T>(call: StoreCall, run: Observable<T>): Observable<T> => {
    const fate = struck(call) ? (fates[next++] ?? 'fine') : 'fine';
    if (fate === 'fine') return run;
    // A proxy sent it again, and passes on the second answer.
    if (fate === 'twice') return run.pipe(concatMap(() => run));
    const error = throwError(() => new StoreError(fate.code, `Injected: ${call.method}.`));
    return fate.effect ? concat(run.pipe(ignoreElements()), error) : error;
  });
}

interface Truth {
  readonly conditionalPut: boolean;
  readonly completeSubset: boolean;
}

function storeOf({ conditionalPut, completeSubset }: Truth): ObjectStore {
  const inner = createMemoryStore({ completeSubset });
  return conditionalPut
    ? inner
    : { ...decorate(inner, (_, run) => run), put: (key: string, body: Uint8Array) => inner.put(key, body) };
}

async function tellsTheTruth(
  truth: Truth,
  fates: readonly Fate[],
  struck: (call: StoreCall) => boolean = () => true,
): Promise<void> {
  const inner = storeOf(truth);
  for (const wrap of [
    (store: ObjectStore) => store,
    (store: ObjectStore) => retrying(store, { clock: fast, base: 1, throttledBase: 1, random: () => 0 }),
  ]) {
    const store = wrap(fated(inner, fates, struck));
    const found: unknown = await firstValueFrom(probe(store, '')).catch((error: unknown) => error);
    if (found instanceof Error) expect([found.message, isRetryable(found)]).toEqual([found.message, true]);
    else expect(found).toMatchObject(truth);
    expect(await firstValueFrom(probe(inner, ''))).toMatchObject(truth);
    await lastValueFrom(inner.delete(['probe.json']));
  }
}

const truths = [true, false].flatMap((conditionalPut) =>
  [true, false].map((completeSubset) => ({ conditionalPut, completeSubset })),
);
const fates: readonly Fate[] = [
  'twice',
  ...(['Unavailable', 'Throttled', 'Conflict'] as const).flatMap((code) => [
    failed(code, false),
    failed(code, true),
  ]),
];

test.each(truths)('with one fault, at any request: %j', async (truth) => {
  const step = effort(3, 1);
  for (const [i, fate] of fates.entries())
    for (let at = i % step; at < 26; at += step)
      await tellsTheTruth(truth, [...Array<Fate>(at).fill('fine'), fate]);
});

test('with faults at any of its requests', () =>
  fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...truths),
      fc.array(
        fc.oneof(
          { weight: 5, arbitrary: fc.constant<Fate>('fine') },
          { weight: 1, arbitrary: fc.constantFrom(...fates) },
        ),
        { minLength: 26, maxLength: 60 },
      ),
      (truth, all) => tellsTheTruth(truth, all),
    ),
    { numRuns: effort(60, 200) },
  ));

test('behind a proxy that sends every put twice', () =>
  tellsTheTruth(
    { conditionalPut: true, completeSubset: true },
    Array<Fate>(200).fill('twice'),
    ({ conditional }) => conditional,
  ));

test('if every put takes effect and is then throttled, twenty times', () =>
  tellsTheTruth(
    { conditionalPut: true, completeSubset: true },
    Array<Fate>(20).fill(failed('Throttled', true)),
    ({ method }) => method === 'put',
  ));

test('if every Complete takes effect and fails', () =>
  tellsTheTruth(
    { conditionalPut: true, completeSubset: true },
    Array<Fate>(20).fill(failed('Throttled', true)),
    ({ method }) => method === 'completeUpload',
  ));

test('a store that refuses every conditional put cannot be distinguished from one that is in doubt: nothing is kept', async () => {
  const inner = createMemoryStore();
  const refusing = decorate(inner, (call, run) =>
    call.conditional ? throwError(() => new StoreError('AlreadyExists', 'Injected.')) : run,
  );
  await expect(firstValueFrom(probe(refusing, ''))).rejects.toMatchObject({
    code: 'Unavailable',
    retryable: true,
  });
  expect((await lastValueFrom(inner.list({}))).objects).toEqual([]);
});
