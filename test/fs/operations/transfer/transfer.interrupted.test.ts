/** What an interruption at any request leaves. */
import { lastValueFrom, type Observable } from 'rxjs';
import type { Operations } from '../../../../src/fs/operations/index.js';
import { delayed } from '../../../../src/testing/index.js';
import { createMemoryStore } from '../../../../src/store/memory/index.js';
import type { ObjectStore } from '../../../../src/store/objectStore.js';
import { SimulatedClock } from '../../../../src/testing/simulatedClock.js';
import {
  all,
  bytes,
  content,
  filled,
  Interruption,
  MiB,
  operationsOn,
  shown,
  uploadsOf,
} from '../../support.js';
import { effort } from '../../../support/effort.js';

/** Of two parts. */
const big = bytes(5 * MiB + 100);
const parts = { writePartSize: '5MiB' };
const source = { 'd/': '', 'd/a': 'a', 'd/big': big, 'd/s/b': 'b', 'd/s/c': 'c' };
const asIs = Object.fromEntries(Object.entries(source).map(([key, body]) => [key, shown(body)]));
const old = { 'e/a': 'old', 'e/s/b': 'old', 'e/other': 'other' };

interface World {
  readonly a: ObjectStore;
  readonly b: ObjectStore;
  readonly operations: Operations;
  readonly clock: SimulatedClock;
}

/** Two stores whose answers take a while, so that requests overlap. */
async function world(interruption: Interruption): Promise<World> {
  const clock = new SimulatedClock();
  const a = await filled(source, createMemoryStore({ clock }));
  const b = await filled(old, createMemoryStore({ clock, completeSubset: false }));
  const slow = (store: ObjectStore) => interruption.around(delayed(store, { before: () => 1, clock }));
  return { a, b, clock, operations: operationsOn({ a: slow(a), b: slow(b) }, parts) };
}

/**
 * Interrupts the operation at its requests, one run each: before and after each takes effect, or in the short form at every
 * second one, before or after it. Returns about their number.
 */
async function atEveryRequest(
  what: 'cancel' | 'crash',
  operation: (operations: Operations) => Observable<unknown>,
  check: (world: World) => Promise<void>,
): Promise<number> {
  const both = ['before', 'after'] as const;
  for (let n = 1; ; n += effort(2, 1)) {
    for (const when of effort(1, 2) === 2 ? both : [both[(n >> 1) % 2]!]) {
      const interruption = new Interruption(n, when, what);
      const at = await world(interruption);
      let over = false;
      const running = operation(at.operations).subscribe({ complete: () => (over = true) });
      at.clock.run(() => interruption.reached);
      if (!interruption.reached) {
        expect(over).toBe(true);
        return n - 1;
      }
      running.unsubscribe();
      at.clock.run();
      interruption.release();
      at.clock.run();
      if (what === 'cancel') await all(at.operations.close());
      await check(at);
    }
  }
}

/** Every object below `prefix` is an old or a new one, and whole. */
async function expectWhole(store: ObjectStore, prefix: string): Promise<void> {
  for (const [key, body] of Object.entries(await content(store))) {
    if (!key.startsWith(prefix) || key.includes('.millrace-partial')) continue;
    const from = asIs[`d/${key.slice(prefix.length)}`];
    const before = old[key as keyof typeof old];
    expect([from, before].filter((one) => one !== undefined)).toContain(body);
  }
}

describe('a cancelled operation leaves no upload and no part of an object', () => {
  test.each([
    ['copy', { overwrite: true }],
    ['copy', { overwrite: false }],
    ['bulkCopy', { resume: false }],
  ] as const)('%s between stores, with %j', async (operation, options) => {
    const requests = await atEveryRequest(
      'cancel',
      (operations) =>
        operation === 'copy'
          ? operations.copy('memory://a/d/', 'memory://b/f/', options)
          : operations.bulkCopy({ from: 'memory://a/d/', to: 'memory://b/f/' }, options),
      async ({ a, b }) => {
        expect(await uploadsOf(b)).toEqual([]);
        await expectWhole(b, 'f/');
        expect(await content(a)).toEqual(asIs);
      },
    );
    expect(requests).toBeGreaterThan(12);
  });

  test('copy on one server, in parts', async () => {
    const requests = await atEveryRequest(
      'cancel',
      (operations) => operations.copy('memory://a/d/', 'memory://a/f/', { overwrite: false }),
      async ({ a }) => {
        expect(await uploadsOf(a)).toEqual([]);
        await expectWhole(a, 'f/');
      },
    );
    expect(requests).toBeGreaterThan(12);
  });

  test('move', async () => {
    const requests = await atEveryRequest(
      'cancel',
      (operations) => operations.move('memory://a/d/', 'memory://b/e/'),
      async ({ a, b }) => {
        expect(await uploadsOf(b)).toEqual([]);
        await expectWhole(b, 'e/');
        await expectNothingLost(a, b);
      },
    );
    expect(requests).toBeGreaterThan(18);
  });
});

async function expectNothingLost(from: ObjectStore, to: ObjectStore): Promise<void> {
  const [left, there] = [await content(from), await content(to)];
  for (const [key, body] of Object.entries(asIs))
    expect([left[key], there[`e/${key.slice(2)}`]]).toContain(body);
}

describe('a directory move that dies at any request', () => {
  test.each(['b', 'a'] as const)('loses nothing, and moving again completes it: a to %s', async (target) => {
    const requests = await atEveryRequest(
      'crash',
      (operations) => operations.move('memory://a/d/', `memory://${target}/e/`),
      async ({ a, b }) => {
        const stores = { a, b };
        await expectNothingLost(a, stores[target]);
        const again = operationsOn(stores, parts);
        if (await lastValueFrom(again.exists('memory://a/d/')))
          await all(again.move('memory://a/d/', `memory://${target}/e/`));
        const moved = await content(stores[target]);
        for (const [key, body] of Object.entries(asIs)) expect(moved[`e/${key.slice(2)}`]).toBe(body);
        expect(Object.keys(await content(a)).filter((key) => key.startsWith('d/'))).toEqual([]);
      },
    );
    expect(requests).toBeGreaterThan(12);
  });
});

describe('an interrupted bulk copy resumes where it stopped', () => {
  test.each(['cancel', 'crash'] as const)('after a %s at any request', async (what) => {
    const requests = await atEveryRequest(
      what,
      (operations) => operations.bulkCopy({ from: 'memory://a/d/', to: 'memory://b/f/' }),
      async ({ a, b }) => {
        await expectWhole(b, 'f/');
        // One that was being created when the process died: its id is lost.
        const orphans = (await content(b))['f/.big.millrace-partial'] === undefined ? await uploadsOf(b) : [];
        if (what === 'cancel') expect(orphans).toEqual([]);
        await all(operationsOn({ a, b }, parts).bulkCopy({ from: 'memory://a/d/', to: 'memory://b/f/' }));
        const after = Object.entries(await content(b)).filter(([key]) => key.startsWith('f/'));
        expect(Object.fromEntries(after.map(([key, body]) => [`d/${key.slice(2)}`, body]))).toEqual(asIs);
        expect(await uploadsOf(b)).toEqual(orphans);
      },
    );
    expect(requests).toBeGreaterThan(15);
  });
});
