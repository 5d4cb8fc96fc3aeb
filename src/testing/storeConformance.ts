/**
 * The conformance suite for every `ObjectStore`: memory, local and S3 here, and custom adapters.
 *
 * Each promise of the port is a test. It needs only a runner with the usual four globals, and checks errors by code.
 * The store is opened once. Each test works below its own prefix, so the store may contain other objects. Set
 * features that an implementation lacks to `false` in `supports`; their tests then do nothing.
 *
 * @example
 * ```ts
 * storeConformance('my store', async () => ({ store: createMemoryStore(), close: async () => {} }));
 * ```
 */
import type { ConformanceStore, Declare, StoreFeatures } from './store/case.js';
import { conditionTests } from './store/conditions.js';
import { describedTests } from './store/described.js';
import { listingTests } from './store/listings.js';
import { objectTests } from './store/objects.js';
import { answer } from './store/support.js';
import { uploadTests } from './store/uploads.js';
import type { Tags } from '../store/objectStore.js';

export type { Case, ConformanceStore, Declare, OtherBucket, StoreFeatures } from './store/case.js';

/** The part of a test runner that the suite needs. Default: the globals of Jest, Vitest and the like. */
export interface TestRunner {
  describe(name: string, body: () => void): void;
  it(name: string, test: () => Promise<void>, timeout?: number): void;
  beforeAll(hook: () => Promise<void>, timeout?: number): void;
  afterAll(hook: () => Promise<void>, timeout?: number): void;
}

/** Declares the suite. Call it where you would call `describe`. */
export function storeConformance(
  name: string,
  open: () => Promise<ConformanceStore>,
  runner?: TestRunner,
): void {
  const globals: unknown = globalThis;
  declareSuite(name, open, runner ?? (globals as TestRunner));
}

function declareSuite(name: string, open: () => Promise<ConformanceStore>, runner: TestRunner): void {
  runner.describe(`${name} keeps the promises of ObjectStore`, () => {
    let opened: ConformanceStore | undefined;
    let tests = 0;
    const run = Date.now().toString(36);
    runner.beforeAll(async () => {
      opened = await open();
    }, 60_000);
    runner.afterAll(async () => {
      await opened?.close();
    }, 60_000);
    const test: Declare = (title, body) => {
      runner.it(
        title,
        async () => {
          if (opened === undefined) throw new Error('The store was not opened.');
          tests += 1;
          const { store } = opened;
          const head = async (key: string): Promise<Tags> => (await answer(store.head(key))).tags ?? {};
          const supports = { ...everything, ...opened.supports };
          await body({
            store,
            tagsOf: opened.tagsOf ?? head,
            missing: opened.missing,
            bucket: opened.bucket,
            other: opened.other,
            supports,
            prefix: `conformance-${run}-${tests}/`,
          });
        },
        60_000,
      );
    };
    objectTests(test);
    conditionTests(test);
    listingTests(test);
    uploadTests(test);
    describedTests(test);
  });
}

const everything: StoreFeatures = {
  putIfMatch: true,
  conditionalComplete: true,
  completeSubset: true,
  exactUploadErrors: true,
  concurrentComplete: true,
  tags: true,
  storageClass: true,
  controlCharacters: true,
  md5Etags: true,
  minimumPartSize: 5 * 1024 * 1024,
};
