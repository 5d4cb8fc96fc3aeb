import assert from 'node:assert/strict';
import type { ContentHeaders, ObjectInfo } from '../../store/objectStore.js';
import type { Declare } from './case.js';
import { answer, bytes, fails, keysOf, read, uploadParts } from './support.js';

const content: Required<ContentHeaders> = {
  type: 'text/csv; charset=utf-8',
  encoding: 'gzip',
  disposition: 'attachment; filename="a b.csv"',
  language: 'de-DE',
  cacheControl: 'max-age=60, must-revalidate',
};

function assertKept(info: ObjectInfo, expected: ContentHeaders = content): void {
  for (const name of Object.keys(content) as (keyof ContentHeaders)[]) {
    // Servers may set a default type.
    if (name === 'type' && expected.type === undefined) continue;
    assert.equal(info.content?.[name], expected[name], name);
  }
}

/** Headers and metadata, and copies of them within and between buckets. */
export function describedTests(test: Declare): void {
  test('content headers make the round trip, all of them or some', async ({ store, prefix }) => {
    await answer(store.put(`${prefix}all`, bytes('x'), { content, metadata: { n: '1' } }));
    const head = await answer(store.head(`${prefix}all`));
    assertKept(head);
    assert.deepEqual(head.metadata, { n: '1' });
    const { info, chunks } = await answer(store.get(`${prefix}all`));
    assertKept(info);
    assert.equal(Buffer.concat(chunks).toString(), 'x', 'a declared encoding is not undone');
    await answer(store.put(`${prefix}some`, bytes('x'), { content: { language: 'fr' } }));
    assertKept(await answer(store.head(`${prefix}some`)), { language: 'fr' });
  });

  test('a put without content headers drops the previous ones', async ({ store, prefix }) => {
    await answer(store.put(`${prefix}a`, bytes('x'), { content }));
    await answer(store.put(`${prefix}a`, bytes('y')));
    assertKept(await answer(store.head(`${prefix}a`)), {});
  });

  test('an upload’s content headers become the object’s', async ({ store, prefix }) => {
    const key = `${prefix}a`;
    const { uploadId } = await answer(store.createUpload(key, { content, metadata: { n: '1' } }));
    await answer(store.completeUpload(key, uploadId, await uploadParts(store, key, uploadId, [bytes('x')])));
    const head = await answer(store.head(key));
    assertKept(head);
    assert.deepEqual(head.metadata, { n: '1' });
  });

  test('a copy includes the content headers', async ({ store, prefix }) => {
    await answer(store.put(`${prefix}a`, bytes('x'), { content }));
    await answer(store.copy(`${prefix}a`, `${prefix}b`));
    assertKept(await answer(store.head(`${prefix}b`)));
  });

  test('strings in any script make the round trip, in puts, uploads and copies', async ({
    store,
    prefix,
  }) => {
    const metadata = {
      name: 'groß & größer.jpg',
      greek: 'Ω'.repeat(60),
      face: '\u{1f600}',
      twice: 'Ã¼',
      blanks: ' a ',
      nothing: '',
    };
    const disposition = 'attachment; filename="grüße \u{1f600}.txt"';
    const described = { metadata, content: { ...content, disposition } };
    const assertSame = (info: ObjectInfo): void => {
      assert.deepEqual(info.metadata, metadata);
      assertKept(info, described.content);
    };
    await answer(store.put(`${prefix}a`, bytes('x'), described));
    assertSame(await answer(store.head(`${prefix}a`)));
    assertSame((await answer(store.get(`${prefix}a`))).info);
    await answer(store.copy(`${prefix}a`, `${prefix}b`));
    assertSame(await answer(store.head(`${prefix}b`)));
    const { uploadId } = await answer(store.createUpload(`${prefix}c`, described));
    const parts = await uploadParts(store, `${prefix}c`, uploadId, [bytes('x')]);
    await answer(store.completeUpload(`${prefix}c`, uploadId, parts));
    assertSame(await answer(store.head(`${prefix}c`)));
  });

  test('tags make the round trip, in puts, uploads and copies', async ({
    store,
    prefix,
    supports,
    tagsOf,
  }) => {
    if (!supports.tags) return;
    const tags = { team: 'data + more', größe: 'a=b:c/d@e', empty: '' };
    await answer(store.put(`${prefix}a`, bytes('x'), { tags }));
    assert.deepEqual(await tagsOf(`${prefix}a`), tags);
    await answer(store.copy(`${prefix}a`, `${prefix}b`));
    assert.deepEqual(await tagsOf(`${prefix}b`), tags);
    const { uploadId } = await answer(store.createUpload(`${prefix}c`, { tags }));
    const parts = await uploadParts(store, `${prefix}c`, uploadId, [bytes('x')]);
    await answer(store.completeUpload(`${prefix}c`, uploadId, parts));
    assert.deepEqual(await tagsOf(`${prefix}c`), tags);
    await answer(store.put(`${prefix}a`, bytes('y')));
    assert.deepEqual(await tagsOf(`${prefix}a`), {}, 'a put without tags drops the previous ones');
  });

  test('the storage class is kept, of puts and uploads', async ({ store, prefix, supports }) => {
    if (!supports.storageClass) return;
    const storageClass = 'STANDARD_IA';
    await answer(store.put(`${prefix}a`, bytes('x'), { storageClass }));
    assert.equal((await answer(store.head(`${prefix}a`))).storageClass, storageClass);
    const { uploadId } = await answer(store.createUpload(`${prefix}b`, { storageClass }));
    const parts = await uploadParts(store, `${prefix}b`, uploadId, [bytes('x')]);
    await answer(store.completeUpload(`${prefix}b`, uploadId, parts));
    assert.equal((await answer(store.head(`${prefix}b`))).storageClass, storageClass);
  });

  test('tags and classes that S3 would reject are rejected', async ({ store, prefix }) => {
    const eleven = Object.fromEntries(Array.from({ length: 11 }, (_, i) => [`t${i}`, '']));
    const wrong = [
      { tags: eleven },
      { tags: { '': 'x' } },
      { tags: { 'aws:x': 'x' } },
      { tags: { ['x'.repeat(129)]: '' } },
      { tags: { x: 'x'.repeat(257) } },
      { tags: { x: 'a&b' } },
      { storageClass: 'two words' },
    ];
    for (const described of wrong) {
      await fails(store.put(`${prefix}a`, bytes('x'), described), 'InvalidRequest');
      await fails(store.createUpload(`${prefix}a`, described), 'InvalidRequest');
    }
    assert.deepEqual(await keysOf(store, { prefix }), []);
  });

  test('headers that HTTP cannot carry are rejected', async ({ store, prefix }) => {
    for (const type of ['', ' ', 'text/plain ', 'a\nb', 'a\ud800']) {
      await fails(store.put(`${prefix}a`, bytes('x'), { content: { type } }), 'InvalidRequest');
      await fails(store.createUpload(`${prefix}a`, { content: { type } }), 'InvalidRequest');
    }
    assert.deepEqual(await keysOf(store, { prefix }), []);
  });

  test('a copy may name the store’s own bucket', async ({ store, prefix, bucket }) => {
    if (bucket === undefined) return;
    await answer(store.put(`${prefix}a`, bytes('x')));
    await answer(store.copy(`${prefix}a`, `${prefix}b`, { bucket }));
    assert.equal(await read(store, `${prefix}b`), 'x');
    const { uploadId } = await answer(store.createUpload(`${prefix}c`));
    const part = await answer(store.copyPart(`${prefix}c`, uploadId, 1, { key: `${prefix}a`, bucket }));
    await answer(store.completeUpload(`${prefix}c`, uploadId, [part]));
    assert.equal(await read(store, `${prefix}c`), 'x');
  });

  test('a copy from another bucket, or NotSupported', async ({ store, prefix, other }) => {
    const [from, to] = [`${prefix}from ü`, `${prefix}to`];
    if (other === undefined) {
      await answer(store.put(from, bytes('x')));
      await fails(store.copy(from, to, { bucket: 'elsewhere' }), 'NotSupported');
      await fails(store.head(to), 'NotFound');
      return;
    }
    const { bucket } = other;
    const { etag } = await answer(other.store.put(from, bytes('there'), { content, metadata: { n: '1' } }));
    await answer(store.put(from, bytes('here')));
    await answer(store.copy(from, to, { bucket, ifMatch: etag }));
    assert.equal(await read(store, to), 'there');
    const head = await answer(store.head(to));
    assertKept(head);
    assert.deepEqual(head.metadata, { n: '1' });
    await fails(store.copy(from, `${to}2`, { bucket, ifMatch: '0'.repeat(32) }), 'PreconditionFailed');
    await fails(store.copy(`${prefix}none`, `${to}2`, { bucket }), 'NotFound');
    await fails(store.head(`${to}2`), 'NotFound');
    await answer(other.store.delete([from]));
  });

  test('a part from another bucket, or NotSupported', async ({ store, prefix, other }) => {
    const [key, to] = [`${prefix}from`, `${prefix}to`];
    const { uploadId } = await answer(store.createUpload(to));
    if (other === undefined) {
      await answer(store.put(key, bytes('x')));
      await fails(store.copyPart(to, uploadId, 1, { key, bucket: 'elsewhere' }), 'NotSupported');
      await answer(store.abortUpload(to, uploadId));
      return;
    }
    const { bucket } = other;
    const { etag } = await answer(other.store.put(key, bytes('0123456789')));
    const range = { start: 2, end: 6 };
    const part = await answer(store.copyPart(to, uploadId, 1, { key, bucket, range, ifMatch: etag }));
    assert.deepEqual([part.number, part.size], [1, 4]);
    await fails(
      store.copyPart(to, uploadId, 1, { key, bucket, range, ifMatch: '0'.repeat(32) }),
      'PreconditionFailed',
    );
    await answer(store.completeUpload(to, uploadId, [part]));
    assert.equal(await read(store, to), '2345');
    const open = await answer(store.createUpload(`${to}2`));
    const whole = await answer(store.copyPart(`${to}2`, open.uploadId, 1, { key, bucket }));
    assert.equal(whole.size, 10);
    await answer(store.abortUpload(`${to}2`, open.uploadId));
    await answer(other.store.delete([key]));
  });
}
