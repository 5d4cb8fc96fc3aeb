/** Any sequence of operations has the effect that it has on a plain map, over every store. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { endWith, ignoreElements, lastValueFrom, map, toArray, type Observable } from 'rxjs';
import { createOperations, type Operations } from '../../../src/fs/operations/index.js';
import { formatUri, parseUri, type Scheme } from '../../../src/path/index.js';
import {
  createLocalStore,
  createMemoryStore,
  createStores,
  openStores,
  S3Connection,
} from '../../../src/entries/stores.js';
import { startGateway } from '../../../src/testing/index.js';
import type { Stores } from '../../../src/store/services.js';
import { emptyCephBucket } from '../../store/realBucket.js';
import { credentials } from '../../store/s3support.js';
import { Model, type At, type Outcome } from '../model.js';
import { effort } from '../../support/effort.js';
import { all, content, uploadsOf } from '../support.js';

interface World {
  readonly scheme: Scheme;
  readonly stores: Stores;
  readonly buckets: readonly string[];
}

class Real {
  readonly operations: Operations;

  constructor(readonly world: World) {
    this.operations = createOperations({ stores: world.stores });
  }

  readonly uri = ({ bucket: name, key: text }: At): string =>
    formatUri({ scheme: this.world.scheme, bucket: this.world.buckets[name === 'a' ? 0 : 1]!, key: text });
}

/** Few, so that sequences meet their own keys again. */
const key = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom('a', 'a/b', 'b', 'a/a', 'a/a/b') },
  { weight: 1, arbitrary: fc.constantFrom('a//b', 'a//', '/a', '/', '../a') },
  { weight: 1, arbitrary: fc.constantFrom('a/ä b', 'a/%2F+', 'a/😀', 'a/\uFF5E', 'a!', 'a/*?[b]') },
);
const bucket = fc.constantFrom('a', 'b');
const anObject: fc.Arbitrary<At> = fc.record({
  bucket,
  key: fc.tuple(key, fc.boolean()).map(([text, marker]) => (marker && text !== '/' ? `${text}/` : text)),
});
/** What operations are given: keys, directories, and now and then the bucket as a whole. */
const anything: fc.Arbitrary<At> = fc.oneof(
  { weight: 12, arbitrary: anObject },
  { weight: 1, arbitrary: bucket.map((name) => ({ bucket: name, key: '' })) },
);

type Step = fc.AsyncCommand<Model, Real>;

/** A step with the same outcome in the model and in the store. */
function step(
  text: string,
  expected: (model: Model) => Outcome,
  real: (real: Real) => Observable<unknown>,
  check: (model: Readonly<Model>) => boolean = () => true,
): Step {
  return {
    check,
    run: async (model, at) => {
      let found: Outcome;
      try {
        found = { ok: (await all(real(at))).at(-1) };
      } catch (error) {
        found = { code: (error as { code?: string }).code ?? String(error) };
      }
      expect(found).toEqual(expected(model));
    },
    toString: () => text,
  };
}

/** Only that it succeeded. */
const done = (from: Observable<unknown>): Observable<unknown> =>
  from.pipe(ignoreElements(), endWith(undefined));
const show = ({ bucket: name, key: text }: At): string => JSON.stringify(`${name}:${text}`);

const written = (at: At, body: string): Step =>
  step(
    `write ${show(at)}`,
    (model) => {
      model.write(at, body);
      return { ok: undefined };
    },
    ({ world, uri }) => {
      const { store, key: own } = world.stores.open(uri(at));
      return done(store.put(own, Buffer.from(body)));
    },
  );

/** The objects at the start of a sequence. */
const before = fc.array(anObject, { minLength: 2, maxLength: 8 });

const steps: fc.Arbitrary<Step>[] = [
  fc.tuple(anObject, fc.constantFrom('', 'x', 'yy')).map(([at, body]) => written(at, body)),
  anything.map((at) =>
    step(
      `list ${show(at)}`,
      (model) => model.list(at),
      ({ operations, uri }) =>
        operations.list(uri(at)).pipe(
          map(({ name }) => name),
          toArray(),
        ),
    ),
  ),
  anything.map((at) =>
    step(
      `walk ${show(at)}`,
      (model) => model.walk(at),
      ({ operations, uri }) =>
        operations.walk(uri(at)).pipe(
          map((entry) => parseUri(entry.uri).key),
          toArray(),
        ),
    ),
  ),
  anything.map((at) =>
    step(
      `stat ${show(at)}`,
      (model) => model.stat(at),
      ({ operations, uri }) => operations.stat(uri(at)).pipe(map(({ kind, size }) => ({ kind, size }))),
    ),
  ),
  anything.map((at) =>
    step(
      `exists ${show(at)}`,
      (model) => model.exists(at),
      ({ operations, uri }) => operations.exists(uri(at)),
    ),
  ),
  anything.map((at) =>
    step(
      `makeDirectory ${show(at)}`,
      (model) => model.makeDirectory(at),
      ({ operations, uri }) => done(operations.makeDirectory(uri(at))),
    ),
  ),
  fc
    .tuple(
      anything,
      fc.record({ recursive: fc.boolean(), mustExist: fc.boolean(), wholeBucket: fc.boolean() }),
    )
    .map(([at, options]) =>
      step(
        `remove ${show(at)} ${JSON.stringify(options)}`,
        (model) => model.remove(at, options),
        ({ operations, uri }) => done(operations.remove(uri(at), options)),
      ),
    ),
  ...(['copy', 'move'] as const).map((operation) =>
    fc.tuple(anything, anything, fc.boolean()).map(([from, to, overwrite]) =>
      step(
        `${operation} ${show(from)} to ${show(to)}${overwrite ? '' : ', not over anything'}`,
        (model) => model[operation](from, to, overwrite),
        ({ operations, uri }) => done(operations[operation](uri(from), uri(to), { overwrite })),
        (model) => !model.mayBeOne(from, to),
      ),
    ),
  ),
];

/** Runs sequences, each in its own world, and compares all objects at the end of each. */
async function holds(
  numRuns: number,
  world: () => Promise<World & { close(): Promise<void> }>,
): Promise<void> {
  await fc.assert(
    fc.asyncProperty(
      before,
      fc.commands(steps, { maxCommands: 20, size: 'max' }),
      async (objects, commands) => {
        const at = await world();
        const real = new Real(at);
        const model = new Model(['a', 'b']);
        try {
          for (const [i, object] of objects.entries()) await written(object, `${i}`).run(model, real);
          await fc.asyncModelRun(() => ({ model, real }), commands);
          for (const name of ['a', 'b']) {
            const { store } = at.stores.open(real.uri({ bucket: name, key: '' }));
            expect(await content(store)).toEqual(Object.fromEntries(model.objects(name)));
            expect(await uploadsOf(store)).toEqual([]);
          }
        } finally {
          await at.close();
        }
      },
    ),
    { numRuns, endOnFailure: true },
  );
}

const nothing = (): Promise<void> => Promise.resolve();

describe('any sequence of operations has the effect that it has on a plain map', () => {
  test('in memory', () =>
    holds(effort(60, 150), () =>
      Promise.resolve({ scheme: 'memory', stores: createStores(), buckets: ['a', 'b'], close: nothing }),
    ));

  test('in directories', () =>
    holds(effort(6, 15), async () => {
      const root = await mkdtemp(join(tmpdir(), 'millrace-operations-'));
      for (const name of ['a', 'b']) await mkdir(join(root, name));
      const file = (name: string) => createLocalStore(join(root, name), { durable: false });
      return {
        scheme: 'file',
        stores: createStores({ schemes: { file } }),
        buckets: ['a', 'b'],
        close: () => rm(root, { recursive: true }),
      };
    }));

  test('on S3, through the gateway', () =>
    holds(effort(5, 12), async () => {
      const gateway = await startGateway({
        buckets: { a: createMemoryStore(), b: createMemoryStore() },
        credentials,
      });
      const stores = openStores({ s3: { endpoint: gateway.endpoint, credentials } });
      return {
        scheme: 's3',
        stores,
        buckets: ['a', 'b'],
        close: async () => {
          stores.close();
          await gateway.close();
        },
      };
    }));

  const endpoint = process.env['MILLRACE_TEST_S3_ENDPOINT'];
  (endpoint === undefined ? test.skip : test)('on a real server', async () => {
    const s3 = {
      endpoint: endpoint ?? '',
      region: process.env['MILLRACE_TEST_S3_REGION'] ?? 'us-east-1',
      credentials: {
        accessKeyId: process.env['MILLRACE_TEST_S3_ACCESS_KEY'] ?? '',
        secretAccessKey: process.env['MILLRACE_TEST_S3_SECRET_KEY'] ?? '',
      },
    };
    await holds(6, async () => {
      const connection = new S3Connection(s3);
      const stores = openStores({ s3 });
      const buckets = ['a', 'b'].map((name) => `operations-${name}-${crypto.randomUUID()}`);
      for (const name of buckets)
        await lastValueFrom(connection.createBucket(name), { defaultValue: undefined });
      return {
        scheme: 's3',
        stores,
        buckets,
        close: async () => {
          for (const name of buckets) await emptyCephBucket(connection, name);
          stores.close();
          connection.close();
        },
      };
    });
  });
});
