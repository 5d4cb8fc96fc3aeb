import { lastValueFrom, map, toArray } from 'rxjs';
import { createJob, files, fileSink, ndjson, records, silentLogger } from '../../src/index.js';
import { createMemoryStore, listAll, openStores } from '../../src/entries/stores.js';
import { altered, listings, type Alter, type Altered } from '../store/alteringProxy.js';
import { answer, credentials } from '../store/s3support.js';

interface Row {
  readonly id: number;
}

const objects = 40;
const rows = 25;
/** Names whose order, as they are and encoded, is the same nowhere. */
const names = Array.from(
  { length: objects },
  (_, i) => `raw/${['a b', 'a+b', 'ü', '50% off'][i % 4] ?? ''} ${i}`,
);

let proxy: Altered;
beforeEach(async () => {
  const store = createMemoryStore();
  const list = store.list.bind(store);
  // Pages of a few keys.
  store.list = (options) => list({ ...options, limit: 7 });
  proxy = await altered({}, { lake: store });
  for (const [i, name] of names.entries()) {
    const lines = Array.from({ length: rows }, (__, k) => `{"id":${i * rows + k}}\n`).join('');
    await answer(proxy.lake.put(name, Buffer.from(lines)));
  }
});
afterEach(() => proxy.close());

/** Runs the job, which fails at a record if requested. */
async function run(failAt?: number): Promise<string> {
  using stores = openStores({
    s3: { endpoint: proxy.endpoint, region: 'us-east-1', credentials, retry: { maxRetries: 1, base: 1 } },
  });
  const job = createJob({
    name: 'job',
    checkpoints: { dir: 's3://lake/checkpoints', interval: 20 },
    restart: 'none',
    logger: silentLogger,
    stores,
  });
  let seen = 0;
  const rowsOf = job.source('in', files('s3://lake/raw/', { format: ndjson<Row>() }));
  const checked = records(
    map((row: Row) => {
      if (++seen === failAt) throw new Error('This was asked for.');
      return row;
    }),
  );
  try {
    const { outcome } = await job.run(
      rowsOf.pipe(checked, fileSink('out', 's3://lake/out', { format: ndjson(), roll: { checkpoints: 1 } })),
    );
    return outcome;
  } catch (error) {
    return (error as { readonly code?: string }).code ?? String(error);
  }
}

async function written(): Promise<number[]> {
  const pages = await lastValueFrom(listAll(proxy.lake, 'out/').pipe(toArray()));
  const ids: number[] = [];
  for (const { key } of pages.flat()) {
    const text = Buffer.concat((await answer(proxy.lake.get(key))).chunks).toString();
    ids.push(
      ...text
        .trim()
        .split('\n')
        .map((line) => (JSON.parse(line) as Row).id),
    );
  }
  return ids.sort((a, b) => a - b);
}

const all = Array.from({ length: objects * rows }, (_, i) => i);

const harmless: readonly (readonly [string, (xml: string) => string])[] = [
  ['as they are', (xml) => xml],
  [
    'truncated without a token',
    (xml) => xml.replace(/<NextContinuationToken>.*?<\/NextContinuationToken>/, ''),
  ],
  ['encoded without telling', (xml) => xml.replace('<EncodingType>url</EncodingType>', '')],
  ['that claim to be whole', (xml) => xml.replace('<IsTruncated>true', '<IsTruncated>false')],
];

test.each(harmless)('every record counts once over listings %s', async (_, edit) => {
  proxy.alter = listings(edit);
  await run(rows * 17);
  expect(await run()).toBe('finished');
  expect(await written()).toEqual(all);
});

test('writes whose answers prove nothing are verified, and every record counts once', async () => {
  proxy.alter = (reply, { method, path, query }) => {
    const manifest = method === 'PUT' && path.startsWith('/lake/checkpoints/job/log/');
    const complete = method === 'POST' && path.startsWith('/lake/out/') && query.has('uploadId');
    if (reply.status !== 200 || !(manifest || complete)) return undefined;
    reply.headers['etag'] = undefined;
    reply.body = '<html><body>Please log in</body></html>';
    return undefined;
  };
  await run(rows * 17);
  expect(await run()).toBe('finished');
  expect(await written()).toEqual(all);
});

const below =
  (prefix: string, alter: Alter): Alter =>
  (reply, request) =>
    request.query.get('prefix') === prefix ? alter(reply, request) : undefined;

test.each<[string, (xml: string) => string]>([
  [
    'are out of order',
    (xml) => {
      const entries = xml.match(/<Contents>.*?<\/Contents>/gs) ?? [];
      let i = entries.length;
      return xml.replace(/<Contents>.*?<\/Contents>/gs, () => entries[--i] ?? '');
    },
  ],
  ['hold a key twice', (xml) => xml.replace(/(<Contents>.*?<\/Contents>)/s, '$1$1')],
])('where listings %s, the job fails before a record is lost or repeated', async (_, edit) => {
  proxy.alter = below('raw/', listings(edit));
  expect(await run(rows * 17)).toBe('NotSupported');
  expect(await run()).toBe('NotSupported');
  const ids = await written();
  expect(new Set(ids).size).toBe(ids.length);
  proxy.alter = () => undefined;
  expect(await run()).toBe('finished');
  expect(await written()).toEqual(all);
});
