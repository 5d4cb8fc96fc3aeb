import {
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  DeleteObjectsCommand,
  GetObjectAclCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsCommand,
  ListObjectsV2Command,
  ListPartsCommand,
  PutObjectCommand,
  PutObjectTaggingCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { of } from 'rxjs';
import {
  startGateway,
  type Fault,
  type Gateway,
  type GatewayEvent,
} from '../../../src/store/gateway/index.js';
import { createMemoryStore } from '../../../src/store/memory/index.js';
import type { ObjectStore } from '../../../src/store/objectStore.js';
import { answer, credentials } from '../s3support.js';

const MiB = 1024 * 1024;

let lake: ObjectStore;
let gateway: Gateway;
let s3: S3Client;
let events: GatewayEvent[];
let fault: Fault | undefined;

function connect(endpoint: string): S3Client {
  return new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true, credentials, maxAttempts: 1 });
}

beforeEach(async () => {
  lake = createMemoryStore();
  events = [];
  fault = undefined;
  gateway = await startGateway({
    buckets: { lake },
    credentials,
    faults: () => fault,
    observe: (event) => {
      events.push(event);
    },
  });
  s3 = connect(gateway.endpoint);
});
afterEach(async () => {
  s3.destroy();
  await gateway.close();
});

const at = { Bucket: 'lake', Key: 'k' };

describe('reading', () => {
  beforeEach(() => answer(lake.put('k', Buffer.from('0123456789'), { metadata: { a: 'b' } })));

  const get = async (
    Range?: string,
    more: object = {},
  ): Promise<readonly [number | undefined, string, string | undefined]> => {
    const { $metadata, Body, ContentRange } = await s3.send(new GetObjectCommand({ ...at, Range, ...more }));
    return [$metadata.httpStatusCode, (await Body?.transformToString()) ?? '', ContentRange];
  };

  test('ranges: inside, cut at the end, open, the last bytes; an invalid one returns the whole object', async () => {
    expect(await get()).toEqual([200, '0123456789', undefined]);
    expect(await get('bytes=2-4')).toEqual([206, '234', 'bytes 2-4/10']);
    expect(await get('bytes=8-99')).toEqual([206, '89', 'bytes 8-9/10']);
    expect(await get('bytes=7-')).toEqual([206, '789', 'bytes 7-9/10']);
    expect(await get('bytes=-3')).toEqual([206, '789', 'bytes 7-9/10']);
    expect(await get('bytes=-30')).toEqual([206, '0123456789', 'bytes 0-9/10']);
    for (const none of ['bytes=4-2', 'bytes=0-1,3-4', 'bytes=-', 'lines=1-2']) {
      expect(await get(none)).toEqual([200, '0123456789', undefined]);
    }
  });

  test('a range beyond the end is 416', async () => {
    for (const range of ['bytes=10-', 'bytes=10-12', 'bytes=-0']) {
      await expect(get(range)).rejects.toMatchObject({
        name: 'InvalidRange',
        $metadata: { httpStatusCode: 416 },
      });
    }
    await answer(lake.put('k', Buffer.alloc(0)));
    expect(await get()).toEqual([200, '', undefined]);
    await expect(get('bytes=0-')).rejects.toMatchObject({ $metadata: { httpStatusCode: 416 } });
  });

  test('conditions: If-Match 412, If-None-Match 304', async () => {
    const { ETag, Metadata } = await s3.send(new HeadObjectCommand(at));
    expect(Metadata).toEqual({ a: 'b' });
    expect((await get(undefined, { IfMatch: ETag }))[0]).toBe(200);
    expect((await get(undefined, { IfMatch: '*', IfNoneMatch: '"x"' }))[0]).toBe(200);
    await expect(get(undefined, { IfMatch: '"x"' })).rejects.toMatchObject({ name: 'PreconditionFailed' });
    await expect(get(undefined, { IfNoneMatch: ETag })).rejects.toMatchObject({
      $metadata: { httpStatusCode: 304 },
    });
    await expect(s3.send(new HeadObjectCommand({ ...at, IfMatch: '"x"' }))).rejects.toMatchObject({
      $metadata: { httpStatusCode: 412 },
    });
  });

  test('a large object is read from the store in fragments of 8 MiB, only as fast as the client takes it', async () => {
    const asked: (readonly [number, number | undefined, string | undefined])[] = [];
    const size = 64 * MiB;
    const fragment = Buffer.alloc(8 * MiB);
    const synthetic = {
      ...unused(),
      get: (key: string, { range, ifMatch }: { range: { start: number; end: number }; ifMatch?: string }) => {
        asked.push([range.start, range.end, ifMatch]);
        return of({ info: { key, size, etag: 'e', modified: 0 }, chunks: [fragment] });
      },
    } as unknown as ObjectStore;
    await using other = await startGateway({ buckets: { lake: synthetic }, credentials });
    const client = connect(other.endpoint);
    const { Body } = await client.send(new GetObjectCommand(at));
    const body = Body as unknown as NodeJS.ReadableStream & { destroy(): void };
    await new Promise<void>((resolve) => {
      body.once('data', () => {
        body.pause();
        resolve();
      });
    });
    // Data that is not read stays in the kernel's buffers, and the store is not asked for more.
    expect(asked.length).toBeLessThanOrEqual(4);
    body.resume();
    await new Promise((resolve) => body.once('end', resolve));
    expect(asked).toEqual(
      Array.from({ length: 8 }, (_, i) => [i * 8 * MiB, (i + 1) * 8 * MiB, i === 0 ? undefined : 'e']),
    );
    client.destroy();
  });
});

describe('listings', () => {
  test('page by page with every option, keys URL-encoded when asked', async () => {
    for (const key of ['a/1', 'a/2', 'b', 'c d+e', 'é']) await answer(lake.put(key, Buffer.from(key)));
    const first = await s3.send(new ListObjectsV2Command({ Bucket: 'lake', Delimiter: '/', MaxKeys: 2 }));
    expect([first.KeyCount, first.IsTruncated, first.CommonPrefixes]).toEqual([2, true, [{ Prefix: 'a/' }]]);
    const rest = await s3.send(
      new ListObjectsV2Command({
        Bucket: 'lake',
        Delimiter: '/',
        ContinuationToken: first.NextContinuationToken,
        EncodingType: 'url',
      }),
    );
    expect(rest.Contents?.map(({ Key }) => Key)).toEqual(['c%20d%2Be', '%C3%A9']);
    const after = await s3.send(new ListObjectsV2Command({ Bucket: 'lake', StartAfter: 'b', Prefix: 'c' }));
    expect(after.Contents?.map(({ Key }) => Key)).toEqual(['c d+e']);
    expect((await s3.send(new ListObjectsV2Command({ Bucket: 'lake', MaxKeys: 0 }))).KeyCount).toBe(0);
    await expect(s3.send(new ListObjectsV2Command({ Bucket: 'lake', MaxKeys: -1 }))).rejects.toMatchObject({
      name: 'InvalidArgument',
    });
  });

  test('of parts and uploads continue after their markers', async () => {
    const uploads: string[] = [];
    for (const Key of ['u1', 'u2', 'u2']) {
      uploads.push((await s3.send(new CreateMultipartUploadCommand({ Bucket: 'lake', Key }))).UploadId!);
    }
    const page = await s3.send(new ListMultipartUploadsCommand({ Bucket: 'lake', MaxUploads: 2 }));
    expect([page.IsTruncated, page.Uploads?.length, page.NextKeyMarker]).toEqual([true, 2, 'u2']);
    const next = await s3.send(
      new ListMultipartUploadsCommand({
        Bucket: 'lake',
        KeyMarker: page.NextKeyMarker,
        UploadIdMarker: page.NextUploadIdMarker,
      }),
    );
    expect(next.Uploads?.length).toBe(1);
    const behind = await s3.send(new ListMultipartUploadsCommand({ Bucket: 'lake', KeyMarker: 'u1' }));
    expect(behind.Uploads?.map(({ Key }) => Key)).toEqual(['u2', 'u2']);
    const upload = { Bucket: 'lake', Key: 'u1', UploadId: uploads[0] };
    for (const PartNumber of [1, 2, 3])
      await s3.send(new UploadPartCommand({ ...upload, PartNumber, Body: 'x' }));
    const parts = await s3.send(new ListPartsCommand({ ...upload, MaxParts: 2 }));
    expect([parts.IsTruncated, parts.NextPartNumberMarker]).toEqual([true, '2']);
    const tail = await s3.send(
      new ListPartsCommand({ ...upload, PartNumberMarker: parts.NextPartNumberMarker }),
    );
    expect(tail.Parts?.map(({ PartNumber }) => PartNumber)).toEqual([3]);
  });
});

describe('writing', () => {
  test('Complete checks the order of the parts, and their ETags', async () => {
    const { UploadId } = await s3.send(new CreateMultipartUploadCommand(at));
    const upload = { ...at, UploadId };
    const { ETag } = await s3.send(new UploadPartCommand({ ...upload, PartNumber: 1, Body: 'x' }));
    const complete = (Parts: object[]) =>
      s3.send(new CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts } }));
    await expect(
      complete([
        { PartNumber: 2, ETag },
        { PartNumber: 1, ETag },
      ]),
    ).rejects.toMatchObject({ name: 'InvalidPartOrder' });
    await expect(complete([{ PartNumber: 2, ETag }])).rejects.toMatchObject({ name: 'InvalidPart' });
    await expect(complete([{ PartNumber: 1, ETag: '"x"' }])).rejects.toMatchObject({ name: 'InvalidPart' });
    await expect(complete([])).rejects.toMatchObject({ name: 'MalformedXML' });
    expect((await complete([{ PartNumber: 1, ETag }])).ETag).toMatch(/-1"$/);
    await expect(complete([{ PartNumber: 1, ETag }])).rejects.toMatchObject({ name: 'NoSuchUpload' });
  });

  test('a batch delete lists what it deleted, unless quiet', async () => {
    const Objects = [{ Key: 'a&<>"' }, { Key: ' b ' }];
    for (const { Key } of Objects) await answer(lake.put(Key, Buffer.from('x')));
    const { Deleted } = await s3.send(new DeleteObjectsCommand({ Bucket: 'lake', Delete: { Objects } }));
    expect(Deleted).toEqual(Objects);
    expect((await answer(lake.list({}))).objects).toEqual([]);
    const quiet = await s3.send(
      new DeleteObjectsCommand({ Bucket: 'lake', Delete: { Objects, Quiet: true } }),
    );
    expect(quiet.Deleted).toBeUndefined();
  });

  test('tags are returned, and their number in headers', async () => {
    const Tagging = 'team=data%20lake&a%2Fb=';
    await s3.send(new PutObjectCommand({ ...at, Body: 'x', Tagging }));
    expect((await s3.send(new HeadObjectCommand(at))).TagCount).toBe(2);
    const { TagSet } = await s3.send(new GetObjectTaggingCommand(at));
    expect(TagSet).toEqual([
      { Key: 'team', Value: 'data lake' },
      { Key: 'a/b', Value: '' },
    ]);
    for (const wrong of ['=x', 'aws%3Ax=y', 'a=%26'])
      await expect(s3.send(new PutObjectCommand({ ...at, Body: 'x', Tagging: wrong }))).rejects.toMatchObject(
        { name: 'InvalidTag' },
      );
    await expect(
      s3.send(new PutObjectCommand({ ...at, Body: 'x', Tagging: 'a=1&a=2' })),
    ).rejects.toMatchObject({ name: 'InvalidArgument' });
  });

  test('features without support are NotImplemented', async () => {
    const refused = [
      () => s3.send(new PutObjectCommand({ ...at, Body: 'x', ServerSideEncryption: 'aws:kms:dsse' })),
      () => s3.send(new GetObjectAclCommand(at)),
      () => s3.send(new ListObjectsCommand({ Bucket: 'lake' })),
      () => s3.send(new CopyObjectCommand({ ...at, CopySource: 'lake/k', MetadataDirective: 'REPLACE' })),
      () =>
        s3.send(
          new CopyObjectCommand({ ...at, CopySource: 'lake/k', TaggingDirective: 'REPLACE', Tagging: '' }),
        ),
      () => s3.send(new PutObjectTaggingCommand({ ...at, Tagging: { TagSet: [] } })),
    ];
    for (const one of refused) await expect(one()).rejects.toMatchObject({ name: 'NotImplemented' });
  });
});

describe('faults and observation', () => {
  test('a request is observed when it starts, arrives, takes effect and ends', async () => {
    await s3.send(new PutObjectCommand({ ...at, Body: 'hello' }));
    expect(
      events.map(({ phase, operation, key, status, received }) => [phase, operation, key, status, received]),
    ).toEqual([
      ['started', 'PutObject', 'k', undefined, 0],
      ['received', 'PutObject', 'k', undefined, 5],
      ['effect', 'PutObject', 'k', undefined, 5],
      ['finished', 'PutObject', 'k', 200, 5],
    ]);
  });

  test('an answer can come instead of the effect, or after it', async () => {
    fault = { failure: { kind: 'answer', status: 503, code: 'SlowDown' } };
    await expect(s3.send(new PutObjectCommand({ ...at, Body: 'x' }))).rejects.toMatchObject({
      name: 'SlowDown',
    });
    await expect(answer(lake.head('k'))).rejects.toMatchObject({ code: 'NotFound' });
    fault = { failure: { kind: 'answer-after', status: 500, code: 'InternalError' } };
    await expect(s3.send(new PutObjectCommand({ ...at, Body: 'x' }))).rejects.toMatchObject({
      name: 'InternalError',
    });
    expect((await answer(lake.head('k'))).size).toBe(1);
    expect(events.filter(({ phase }) => phase === 'effect')).toHaveLength(1);
  });

  test('a lost answer is an aborted request that had its effect', async () => {
    fault = { failure: { kind: 'lose-answer' } };
    await expect(s3.send(new PutObjectCommand({ ...at, Body: 'x' }))).rejects.toThrow();
    expect(events.map(({ phase }) => phase)).toEqual(['started', 'received', 'effect', 'aborted']);
  });

  test('an answer can be delayed and slowed down', async () => {
    await answer(lake.put('k', Buffer.alloc(100_000)));
    fault = { delay: 20, bandwidth: 1_000_000 };
    const before = performance.now();
    const { Body } = await s3.send(new GetObjectCommand(at));
    expect((await Body?.transformToByteArray())?.length).toBe(100_000);
    expect(performance.now() - before).toBeGreaterThan(100);
  });
});

function unused(): object {
  return { uri: 'synthetic://' };
}
