import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lastValueFrom } from 'rxjs';
import { loadConfig } from '../../../src/config/index.js';
import { createOperations, type Operations } from '../../../src/fs/operations/index.js';
import { fileUri } from '../../../src/path/index.js';
import { createMemoryStore } from '../../../src/store/memory/index.js';
import { openStores, type OpenedStores } from '../../../src/store/open.js';
import { altered, type Altered } from '../../store/alteringProxy.js';
import { credentials } from '../../store/s3support.js';
import { all, bytes, MiB } from '../support.js';

/** The bytes of UTF-8, as Node sends and shows them in a header. */
const raw = (text: string): string => Buffer.from(text).toString('latin1');

/** What servers send, and what it means. */
const headers = {
  'x-amz-meta-raw': [raw('groß \u{1f600}.jpg'), 'groß \u{1f600}.jpg'],
  'x-amz-meta-words': ['=?UTF-8?Q?gro=C3=9F.jpg?=', 'groß.jpg'],
  'x-amz-meta-latin': ['gro\xdf', 'groß'],
  "x-amz-meta-odd!#$%&'*+.^_`|~-name": ['x', 'x'],
  'x-amz-meta-long': ['x'.repeat(30_000), 'x'.repeat(30_000)],
  'x-amz-meta-tab': ['a\tb', 'a\tb'],
  'content-disposition': [raw('attachment; filename="grüße.jpg"'), 'attachment; filename="grüße.jpg"'],
  'content-language': ['=?UTF-8?B?ZGXDnw==?=', 'deß'],
} as const;

const metadata = Object.fromEntries(
  Object.entries(headers).flatMap(([name, [, text]]) =>
    name.startsWith('x-amz-meta-') ? [[name.slice('x-amz-meta-'.length), text]] : [],
  ),
);
const described = {
  metadata,
  content: { disposition: headers['content-disposition'][1], language: headers['content-language'][1] },
};

let directory: string;
let proxy: Altered;
let stores: OpenedStores;
let operations: Operations;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-metadata-'));
  proxy = await altered({}, { lake: createMemoryStore(), pond: createMemoryStore() });
  const memory = proxy.lake;
  await lastValueFrom(memory.put('from/small', Buffer.from('hello')));
  await lastValueFrom(memory.put('from/large', bytes(9 * MiB)));
  proxy.alter = (reply, { method, path }) => {
    if ((method === 'GET' || method === 'HEAD') && path.startsWith('/lake/from/'))
      for (const [name, [sent]] of Object.entries(headers)) reply.headers[name] = sent;
    return undefined;
  };
  const s3 = { endpoint: proxy.endpoint, region: 'us-east-1', credentials, retry: { maxRetries: 0 } };
  stores = openStores({ s3 });
  operations = createOperations({
    stores,
    config: loadConfig({ env: {}, file: false, transfer: { partSize: '5MiB' } }),
  });
});
afterEach(async () => {
  stores.close();
  await proxy.close();
  await rm(directory, { recursive: true });
});

const names = ['small', 'large'];

async function expectAt(base: string): Promise<void> {
  for (const name of names)
    expect(await lastValueFrom(operations.stat(`${base}${name}`))).toMatchObject(described);
}

test('metadata sent in UTF-8, in encoded words or in Latin-1 is decoded correctly', () =>
  expectAt('s3://lake/from/'));

test.each(['s3://lake/to/', 's3://pond/to/', 'memory://metadata-test/to/', 'local'])(
  'it survives copies to %s and back, in bulk, one at a time, and moved',
  async (where) => {
    const target = where === 'local' ? `${fileUri(directory)}/to/` : where;
    // As a copy on one server would not pass through here.
    const means = { overwrite: false } as const;
    await all(operations.bulkCopy({ from: 's3://lake/from/', to: target }));
    if (!target.startsWith('s3:')) await expectAt(target);
    for (const name of names) {
      await all(operations.copy(`s3://lake/from/${name}`, `${target}single/${name}`, means));
      await all(operations.copy(`${target}single/${name}`, `s3://pond/back/${name}`, means));
      await all(operations.move(`${target}single/${name}`, `s3://pond/moved/${name}`));
    }
    await expectAt('s3://pond/back/');
    await expectAt('s3://pond/moved/');
  },
);
