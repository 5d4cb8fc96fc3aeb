import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { lastValueFrom, toArray } from 'rxjs';
import { createOperations } from '../../../src/fs/operations/index.js';
import type { EncryptionOptions } from '../../../src/config/s3Options.js';
import {
  startGateway,
  type Faults,
  type Gateway,
  type GatewayEvent,
  type GatewayOptions,
} from '../../../src/store/gateway/index.js';
import { inspectServer } from '../../../src/store/inspect.js';
import { createMemoryStore } from '../../../src/store/memory/index.js';
import type { ObjectStore } from '../../../src/store/objectStore.js';
import { openStores } from '../../../src/store/open.js';
import { S3Connection, type S3Options } from '../../../src/store/s3/index.js';
import { everyId, published, runJob, writeInput } from '../encryptedJob.js';
import { emptyCephBucket } from '../realBucket.js';
import { answer, credentials, failure } from '../s3support.js';

const key = randomBytes(32).toString('base64');
const anotherKey = randomBytes(32).toString('base64');
const sealed: EncryptionOptions = { type: 'sse-c', customerKey: key };

let gateway: Gateway;
let events: GatewayEvent[];
let faults: Faults;
const closing: (() => unknown)[] = [];

async function start(options: Partial<GatewayOptions> = {}): Promise<void> {
  gateway = await startGateway({
    buckets: { lake: createMemoryStore(), open: createMemoryStore(), other: createMemoryStore() },
    credentials,
    faults: (request) => faults(request),
    observe: (event) => {
      if (event.phase === 'started') events.push(event);
    },
    ...options,
  });
  const { close } = gateway;
  closing.push(() => close());
}

beforeEach(async () => {
  events = [];
  faults = () => undefined;
  await start();
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const base = (): S3Options => ({ endpoint: gateway.endpoint, credentials, retry: { maxRetries: 0 } });

function connect(options: S3Options = {}): S3Connection {
  const s3 = new S3Connection({ ...base(), ...options });
  closing.push(() => s3.close());
  return s3;
}

const text = async (store: ObjectStore, at: string): Promise<string> =>
  Buffer.concat((await answer(store.get(at))).chunks).toString();

/** Every request that a store can make. */
async function useAll(store: ObjectStore): Promise<void> {
  await answer(store.put('put', Buffer.from('hello')));
  await answer(store.copy('put', 'copied'));
  const { uploadId } = await answer(store.createUpload('uploaded'));
  const part = await answer(store.uploadPart('uploaded', uploadId, 1, Buffer.alloc(5 * 1024 * 1024)));
  const copied = await answer(store.copyPart('uploaded', uploadId, 2, { key: 'put' }));
  await answer(store.listParts('uploaded', uploadId));
  await answer(store.listUploads({ prefix: '' }));
  await answer(store.completeUpload('uploaded', uploadId, [part, copied]));
  const begun = await answer(store.createUpload('begun'));
  await lastValueFrom(store.abortUpload('begun', begun.uploadId), { defaultValue: undefined });
  await answer(store.head('put'));
  expect(await text(store, 'put')).toBe('hello');
  await answer(store.get('uploaded', { range: { start: 5 * 1024 * 1024 - 1, end: 5 * 1024 * 1024 + 2 } }));
  await answer(store.list({}));
  await answer(store.delete(['copied', 'control\u0001']));
}

describe('Requester Pays', () => {
  const payers = (): (readonly [string, string | undefined])[] =>
    events.map(({ operation, headers }) => [operation, headers['x-amz-request-payer']]);

  test('is sent with every request, or with none', async () => {
    await useAll(connect({ requesterPays: true }).store('lake'));
    expect(new Set(payers().map(([operation]) => operation)).size).toBe(14);
    expect(payers().filter(([, payer]) => payer !== 'requester')).toEqual([]);
    events = [];
    await useAll(connect().store('lake'));
    expect(payers().filter(([, payer]) => payer !== undefined)).toEqual([]);
  });

  test('is set per bucket; a copy pays for what it reads there', async () => {
    using stores = openStores({ s3: { ...base(), buckets: { open: { requesterPays: true } } } });
    const [lake, open] = [stores.open('s3://lake/'), stores.open('s3://open/')];
    await answer(open.store.put('a', Buffer.from('x')));
    await answer(lake.store.put('a', Buffer.from('x')));
    await answer(lake.store.copy('a', 'b', { bucket: 'open' }));
    await answer(lake.store.copy('a', 'b'));
    const { uploadId } = await answer(lake.store.createUpload('c'));
    await answer(lake.store.copyPart('c', uploadId, 1, { bucket: 'open', key: 'a' }));
    await answer(open.reserved.list({}));
    expect(payers()).toEqual([
      ['PutObject', 'requester'],
      ['PutObject', undefined],
      ['CopyObject', 'requester'],
      ['CopyObject', undefined],
      ['CreateMultipartUpload', undefined],
      ['HeadObject', 'requester'],
      ['UploadPartCopy', 'requester'],
      ['HeadObject', 'requester'],
      ['ListObjectsV2', 'requester'],
    ]);
  });
});

describe('an ACL', () => {
  const acls = (): unknown[] =>
    events.filter(({ headers }) => headers['x-amz-acl'] !== undefined).map(({ operation }) => operation);

  test('is sent with everything that is created', async () => {
    await useAll(connect({ acl: 'bucket-owner-full-control' }).store('lake'));
    expect(acls()).toEqual(['PutObject', 'CopyObject', 'CreateMultipartUpload', 'CreateMultipartUpload']);
    events = [];
    using stores = openStores({
      s3: { ...base(), acl: 'private', buckets: { lake: { acl: 'bucket-owner-full-control' } } },
    });
    await answer(stores.open('s3://lake/').store.put('a', Buffer.from('x')));
    expect(events[0]!.headers['x-amz-acl']).toBe('bucket-owner-full-control');
  });

  test('that the bucket does not accept, or that is denied, is an error that says what to do', async () => {
    expect(
      await failure(connect({ acl: 'public-read' }).store('lake').put('a', Buffer.from('x'))),
    ).toMatchObject({
      code: 'InvalidRequest',
      message: expect.stringMatching(/AccessControlListNotSupported.*remove `s3.acl`/) as string,
    });
    faults = () => ({ failure: { kind: 'answer', status: 403, code: 'AccessDenied' } });
    const s3 = connect({ acl: 'bucket-owner-full-control' });
    expect(await failure(s3.store('lake').put('a', Buffer.from('x')))).toMatchObject({
      message: expect.stringMatching(/Allow s3:PutObject and s3:PutObjectAcl on lake/) as string,
    });
    expect(() => connect({ acl: 'mine' as never })).toThrow(/acl must be one of private,/);
  });
});

describe('a customer’s key', () => {
  test('is sent with every request for what it encrypts, and with no other', async () => {
    await start({ requireEncryption: 'customer' });
    await useAll(connect({ sse: sealed }).store('lake'));
    const keyed = (prefix: string): string[] =>
      events
        .filter(({ headers }) => headers[`${prefix}-algorithm`] === 'AES256')
        .map(({ operation }) => operation);
    expect([...new Set(keyed('x-amz-server-side-encryption-customer'))].sort()).toEqual([
      'CompleteMultipartUpload',
      'CopyObject',
      'CreateMultipartUpload',
      'GetObject',
      'HeadObject',
      'ListParts',
      'PutObject',
      'UploadPart',
      'UploadPartCopy',
    ]);
    expect(keyed('x-amz-copy-source-server-side-encryption-customer')).toEqual([
      'CopyObject',
      'UploadPartCopy',
    ]);
    // An observer of the gateway must not see it.
    expect(JSON.stringify(events)).not.toContain(key);
  });

  test('decrypts what it encrypted; without it, or with another, nothing can be read', async () => {
    const store = connect({ sse: sealed }).store('lake');
    await answer(store.put('a', Buffer.from('secret')));
    const open = connect().store('lake');
    const other = connect({ sse: { customerKey: anotherKey } }).store('lake');
    for (const request of [open.get('a'), open.copy('a', 'b')])
      expect(await failure(request)).toMatchObject({
        code: 'InvalidRequest',
        retryable: false,
        message: expect.stringMatching(
          /It is encrypted with a customer's key: set the key as `s3.sse.customer-key`/,
        ) as string,
      });
    expect(await failure(open.head('a'))).toMatchObject({
      message: expect.stringMatching(/Perhaps it is encrypted with a customer's key/) as string,
    });
    for (const request of [other.get('a'), other.head('a'), other.copy('a', 'b')])
      expect(await failure(request)).toMatchObject({
        code: 'PermissionDenied',
        message: expect.stringMatching(
          /check that `s3.sse.customer-key` is the key that it was written with/,
        ) as string,
      });
    await answer(open.put('plain', Buffer.from('x')));
    expect(await failure(store.get('plain'))).toMatchObject({
      message: expect.stringMatching(
        /It is not encrypted with a customer's key: set no `s3.sse.customer-key`/,
      ) as string,
    });
    // The key is for bytes alone.
    expect((await answer(open.list({}))).objects.map((object) => object.key)).toEqual(['a', 'plain']);
    await answer(open.delete(['a']));
  });

  test('applies to all parts of an upload', async () => {
    const s3 = connect();
    const store = s3.store('lake', { sse: sealed });
    const { uploadId } = await answer(store.createUpload('a'));
    for (const sse of [{ type: 'none' }, { customerKey: anotherKey }] as const)
      expect(
        await failure(s3.store('lake', { sse }).uploadPart('a', uploadId, 1, Buffer.from('x'))),
      ).toMatchObject({ code: 'InvalidRequest' });
    const part = await answer(store.uploadPart('a', uploadId, 1, Buffer.from('x')));
    expect(part.etag).not.toBe('9dd4e461268c8034f5c8564e155c67a6');
    const { etag } = await answer(store.completeUpload('a', uploadId, [part]));
    expect(await answer(store.head('a'))).toMatchObject({ etag, size: 1 });
  });

  test('may differ between the buckets of a copy: each has its own', async () => {
    using stores = openStores({
      s3: {
        ...base(),
        sse: sealed,
        buckets: { open: { sse: { type: 'none' } }, other: { sse: { customerKey: anotherKey } } },
      },
    });
    const names = ['lake', 'open', 'other'];
    const all = new Map(names.map((name) => [name, stores.open(`s3://${name}/`).store]));
    for (const [from, source] of all) {
      await answer(source.put('a', Buffer.from(from)));
      for (const [to, target] of all) {
        await answer(target.copy('a', `copy-of-${from}`, { bucket: from }));
        const { uploadId } = await answer(target.createUpload('parts'));
        const part = await answer(target.copyPart('parts', uploadId, 1, { bucket: from, key: 'a' }));
        await answer(target.completeUpload('parts', uploadId, [part]));
        for (const made of [`copy-of-${from}`, 'parts'])
          expect([to, await text(target, made)]).toEqual([to, from]);
      }
    }
    const bulk = createOperations({ stores });
    await lastValueFrom(bulk.bulkCopy([{ from: 's3://lake/', to: 's3://other/all/' }]).pipe(toArray()));
    expect(await text(all.get('other')!, 'all/copy-of-open')).toBe('open');
  });

  test('has 32 bytes: as such, in base64, or in a file', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'millrace-key-'));
    closing.push(() => rmSync(directory, { recursive: true }));
    const file = (content: string | Buffer): string => {
      const path = join(directory, 'key');
      writeFileSync(path, content);
      return path;
    };
    const bytes = Buffer.from(key, 'base64');
    await answer(connect({ sse: sealed }).store('lake').put('a', Buffer.from('x')));
    const ways: (() => EncryptionOptions)[] = [
      () => ({ customerKey: bytes }),
      () => ({ customerKey: new Uint8Array(bytes) }),
      () => ({ customerKey: ` ${key}\n` }),
      () => ({ customerKey: key.replace(/=+$/, '') }),
      () => ({ customerKeyFile: file(bytes) }),
      () => ({ customerKeyFile: file(`${key}\n`), type: 'sse-c' }),
    ];
    for (const way of ways) expect(await text(connect({ sse: way() }).store('lake'), 'a')).toBe('x');
    const wrong: (() => EncryptionOptions)[] = [
      () => ({ customerKey: key.slice(4) }),
      () => ({ customerKey: `${key.slice(0, -2)}!=` }),
      () => ({ customerKey: bytes.subarray(1) }),
      () => ({ customerKeyFile: file(`${key}x`) }),
      () => ({ customerKeyFile: join(directory, 'none') }),
      () => ({ customerKey: key, customerKeyFile: file(key) }),
      () => ({ type: 'sse-c' }),
      () => ({ type: 'sse-s3', customerKey: key }),
      () => ({ type: 'none', customerKeyFile: file(key) }),
      () => ({ type: 'sse-c', customerKey: key, kms: { keyId: 'x' } }),
    ];
    for (const way of wrong) {
      let message = '';
      try {
        connect({ sse: way() });
      } catch (error) {
        expect(error).toMatchObject({ code: 'InvalidS3Options' });
        message = inspect(error);
      }
      expect(message).toMatch(/S3 options: sse\.(customerKey|type|kms)/);
      expect(message).not.toContain(key.slice(4, 20));
    }
  });

  test('is not sent in the clear, except on this machine or if allowed', () => {
    const at =
      (endpoint: string | undefined, more: EncryptionOptions = {}) =>
      () =>
        new S3Connection({
          ...(endpoint === undefined ? {} : { endpoint }),
          credentials,
          sse: { ...sealed, ...more },
        }).close();
    for (const endpoint of ['http://s3.test', 'http://10.0.0.1:9000', 'http://localhost.evil'])
      expect(at(endpoint)).toThrow(/is not encrypted: use https/);
    for (const endpoint of [
      'https://s3.test',
      undefined,
      'http://127.0.0.2',
      'http://[::1]:9000',
      'http://localhost',
    ])
      expect(at(endpoint)).not.toThrow();
    expect(at('http://s3.test', { customerKeyOverHttp: true })).not.toThrow();
    using stores = openStores({ s3: { endpointProtocol: 'http', credentials, sse: sealed } });
    expect(() => stores.open('s3x://s3.test/lake/a')).toThrow(/is not encrypted/);
  });

  test('is shown nowhere, whatever a server answers', async () => {
    faults = () => ({
      failure: { kind: 'answer', status: 400, code: 'InvalidRequest', message: `With ${key}.` },
    });
    const s3 = connect({ sse: sealed });
    const store = s3.store('lake');
    const seen = [
      s3,
      store,
      await failure(store.put('a', Buffer.from('x'))),
      await failure(store.get('a')),
      await failure(store.copy('a', 'b')),
    ];
    for (const one of seen) {
      const shown = `${inspect(one, { depth: Infinity, showHidden: true, getters: true })}${JSON.stringify(one)}`;
      for (const form of [key, Buffer.from(key, 'base64').toString('hex')]) expect(shown).not.toContain(form);
    }
  });

  test('is used by a whole job for all reads and writes, also when answers are lost', async () => {
    await start({ requireEncryption: 'customer' });
    faults = ({ operation, key: at, attempt }) =>
      ['CompleteMultipartUpload', 'UploadPart'].includes(operation) && at.startsWith('out/') && attempt === 1
        ? { failure: { kind: 'lose-answer' } }
        : undefined;
    const store = connect({ sse: sealed }).store('lake');
    await writeInput(store);
    await runJob('lake', { endpoint: gateway.endpoint, region: 'us-east-1', credentials, sse: sealed });
    expect(await published(store)).toEqual(everyId);
    const open = connect().store('lake');
    const { objects } = await answer(open.list({}));
    expect(objects.length).toBeGreaterThan(5);
    for (const object of objects)
      expect(await failure(open.get(object.key))).toMatchObject({ code: 'InvalidRequest' });
  });

  test('is used by the probe for all trials', async () => {
    await start({ requireEncryption: 'customer' });
    using stores = openStores({ s3: { ...base(), sse: sealed } });
    const { findings, missing } = await answer(inspectServer(stores.open('s3://lake/')));
    expect(missing).toEqual([]);
    expect(findings.filter(({ found }) => found === false || found === undefined)).toEqual([]);
  });
});

const endpoint = process.env['MILLRACE_TEST_S3_ENDPOINT'];

(endpoint === undefined ? describe.skip : describe)('a customer’s key on a real server', () => {
  const real: S3Options = {
    endpoint: endpoint ?? '',
    region: process.env['MILLRACE_TEST_S3_REGION'] ?? 'us-east-1',
    credentials: {
      accessKeyId: process.env['MILLRACE_TEST_S3_ACCESS_KEY'] ?? '',
      secretAccessKey: process.env['MILLRACE_TEST_S3_SECRET_KEY'] ?? '',
    },
    sse: { ...sealed, customerKeyOverHttp: true },
  };
  const bucket = `sse-c-${crypto.randomUUID()}`;

  test('applies to all requests of a job', async () => {
    const s3 = new S3Connection(real);
    closing.push(() => s3.close());
    await lastValueFrom(s3.createBucket(bucket), { defaultValue: undefined });
    const store = s3.store(bucket);
    try {
      await useAll(store);
      await writeInput(store);
      await runJob(bucket, real);
      expect(await published(store)).toEqual(everyId);
      const { objects } = await answer(store.list({ prefix: 'out/' }));
      const open = s3.store(bucket, { sse: { type: 'none' } });
      expect(await failure(open.get(objects[0]!.key))).toMatchObject({ code: 'InvalidRequest' });
    } finally {
      await emptyCephBucket(s3, bucket);
    }
  });
});
