import assert from 'node:assert/strict';
import { compositeEtag } from '../../store/helpers.js';
import type { StoreErrorCode } from '../../store/errors.js';
import type { Case, Declare } from './case.js';
import { answer, bytes, fails, keysOf, outcomes, read, uploadParts } from './support.js';

/** Multipart uploads. */
export function uploadTests(test: Declare): void {
  const full = ({ supports }: Case, letter: string): Uint8Array =>
    Buffer.alloc(supports.minimumPartSize, letter);
  const gone = ({ supports }: Case): StoreErrorCode[] => (supports.exactUploadErrors ? ['NotFound'] : []);

  test('parts become one object, visible only when completed', async (on) => {
    const { store, prefix } = on;
    const key = `${prefix}a`;
    const { uploadId } = await answer(store.createUpload(key, { metadata: { n: '1' } }));
    const bodies = [full(on, 'a'), full(on, 'b'), bytes('end')];
    const parts = await uploadParts(store, key, uploadId, bodies);
    assert.deepEqual(
      parts.map(({ number, size }) => [number, size]),
      bodies.map((body, i) => [i + 1, body.length]),
    );
    await fails(store.head(key), 'NotFound');
    assert.deepEqual(await keysOf(store, { prefix }), []);
    const { etag } = await answer(store.completeUpload(key, uploadId, parts));
    if (on.supports.md5Etags) assert.equal(etag, compositeEtag(parts));
    const head = await answer(store.head(key));
    assert.deepEqual([head.size, head.etag, head.metadata], [Buffer.concat(bodies).length, etag, { n: '1' }]);
    assert.ok(Buffer.concat((await answer(store.get(key))).chunks).equals(Buffer.concat(bodies)));
    const at = on.supports.minimumPartSize;
    const across = await answer(store.get(key, { range: { start: at - 2, end: at + 2 } }));
    assert.equal(Buffer.concat(across.chunks).toString(), 'aabb');
  });

  test('one small part is enough, even an empty one', async ({ store, prefix }) => {
    for (const body of ['x', '']) {
      const key = `${prefix}${body}-`;
      const { uploadId } = await answer(store.createUpload(key));
      const parts = await uploadParts(store, key, uploadId, [bytes(body)]);
      await answer(store.completeUpload(key, uploadId, parts));
      assert.equal(await read(store, key), body);
    }
  });

  test('the caller may reuse the buffer of an uploaded part', async ({ store, prefix }) => {
    const key = `${prefix}a`;
    const { uploadId } = await answer(store.createUpload(key));
    const body = bytes('before');
    const parts = await uploadParts(store, key, uploadId, [body]);
    body.fill(0);
    await answer(store.completeUpload(key, uploadId, parts));
    assert.equal(await read(store, key), 'before');
  });

  test('a part uploaded again replaces the previous one', async ({ store, prefix }) => {
    const key = `${prefix}a`;
    const { uploadId } = await answer(store.createUpload(key));
    const [old] = await uploadParts(store, key, uploadId, [bytes('old')]);
    const part = await answer(store.uploadPart(key, uploadId, 1, bytes('newer')));
    assert.deepEqual((await answer(store.listParts(key, uploadId))).parts, [part]);
    assert.ok(old);
    await fails(store.completeUpload(key, uploadId, [old]), 'InvalidPart');
    await answer(store.completeUpload(key, uploadId, [part]));
    assert.equal(await read(store, key), 'newer');
  });

  test('part numbers may have gaps and come in any order', async (on) => {
    const { store, prefix } = on;
    const key = `${prefix}a`;
    const { uploadId } = await answer(store.createUpload(key));
    const last = await answer(store.uploadPart(key, uploadId, 10_000, bytes('end')));
    const first = await answer(store.uploadPart(key, uploadId, 7, full(on, 'a')));
    assert.deepEqual((await answer(store.listParts(key, uploadId))).parts, [first, last]);
    assert.deepEqual((await answer(store.listParts(key, uploadId, 7))).parts, [last]);
    await fails(store.completeUpload(key, uploadId, [last, first]), 'InvalidRequest', 'InvalidPart');
    await answer(store.completeUpload(key, uploadId, [first, last]));
    assert.equal((await answer(store.head(key))).size, first.size + 3);
    await fails(store.uploadPart(key, uploadId, 0, bytes('x')), 'InvalidRequest', ...gone(on));
    await fails(store.uploadPart(key, uploadId, 10_001, bytes('x')), 'InvalidRequest', ...gone(on));
  });

  test('Complete publishes exactly the named parts, or rejects omitting any', async (on) => {
    const { store, prefix, supports } = on;
    const key = `${prefix}a`;
    const { uploadId } = await answer(store.createUpload(key));
    const [first, , third] = await uploadParts(store, key, uploadId, [
      full(on, 'a'),
      full(on, 'b'),
      bytes('end'),
    ]);
    assert.ok(first && third);
    if (!supports.completeSubset) {
      await fails(store.completeUpload(key, uploadId, [first, third]), 'InvalidPart');
      await answer(store.abortUpload(key, uploadId));
      return;
    }
    await answer(store.completeUpload(key, uploadId, [first, third]));
    assert.equal((await answer(store.head(key))).size, first.size + 3);
  });

  test('a wrong ETag, an unknown part, a small part and no part are rejected, and the upload stays', async (on) => {
    const { store, prefix, supports } = on;
    const key = `${prefix}a`;
    const { uploadId } = await answer(store.createUpload(key));
    const parts = await uploadParts(store, key, uploadId, [bytes('small'), bytes('end')]);
    const [first, second] = parts;
    assert.ok(first && second);
    await fails(store.completeUpload(key, uploadId, [{ ...first, etag: '0'.repeat(32) }]), 'InvalidPart');
    await fails(
      store.completeUpload(key, uploadId, [first, second, { ...second, number: 3 }]),
      'InvalidPart',
    );
    if (supports.minimumPartSize > 5) await fails(store.completeUpload(key, uploadId, parts), 'TooSmall');
    await fails(store.completeUpload(key, uploadId, []), 'InvalidRequest', 'InvalidPart');
    await fails(store.head(key), 'NotFound');
    assert.equal((await answer(store.listParts(key, uploadId))).parts.length, 2);
    await answer(store.abortUpload(key, uploadId));
  });

  test('an upload id works once', async (on) => {
    const { store, prefix } = on;
    const key = `${prefix}a`;
    const { uploadId } = await answer(store.createUpload(key));
    const parts = await uploadParts(store, key, uploadId, [bytes('x')]);
    await answer(store.completeUpload(key, uploadId, parts));
    await answer(store.delete([key]));
    await fails(store.completeUpload(key, uploadId, parts), ...gone(on));
    await fails(store.uploadPart(key, uploadId, 1, bytes('x')), ...gone(on));
    await fails(store.listParts(key, uploadId), ...gone(on));
    await fails(store.head(key), 'NotFound');
    await answer(store.abortUpload(key, uploadId));
  });

  test('an aborted upload is gone; aborting again is not an error, and affects no object', async (on) => {
    const { store, prefix } = on;
    const key = `${prefix}a`;
    await answer(store.put(key, bytes('there')));
    const { uploadId } = await answer(store.createUpload(key));
    const parts = await uploadParts(store, key, uploadId, [bytes('x')]);
    await answer(store.abortUpload(key, uploadId));
    await answer(store.abortUpload(key, uploadId));
    await fails(store.completeUpload(key, uploadId, parts), ...gone(on));
    assert.deepEqual((await answer(store.listUploads({ prefix }))).uploads, []);
    assert.equal(await read(store, key), 'there');
  });

  test('an upload belongs to its key', async (on) => {
    const { store, prefix } = on;
    const { uploadId } = await answer(store.createUpload(`${prefix}a`));
    await fails(store.uploadPart(`${prefix}b`, uploadId, 1, bytes('x')), ...gone(on));
    await fails(store.uploadPart(`${prefix}a`, 'no-such-upload', 1, bytes('x')), ...gone(on));
    await answer(store.abortUpload(`${prefix}a`, uploadId));
  });

  test('several uploads of one key coexist; the last one completed stays', async ({ store, prefix }) => {
    const key = `${prefix}a`;
    const one = await answer(store.createUpload(key));
    const two = await answer(store.createUpload(key));
    assert.notEqual(one.uploadId, two.uploadId);
    const first = await uploadParts(store, key, one.uploadId, [bytes('one')]);
    const second = await uploadParts(store, key, two.uploadId, [bytes('two')]);
    await answer(store.completeUpload(key, two.uploadId, second));
    await answer(store.completeUpload(key, one.uploadId, first));
    assert.equal(await read(store, key), 'one');
  });

  test('Complete with ifNoneMatch never replaces', async ({ store, prefix, supports }) => {
    if (!supports.conditionalComplete) return;
    const key = `${prefix}a`;
    const { uploadId } = await answer(store.createUpload(key));
    const parts = await uploadParts(store, key, uploadId, [bytes('upload')]);
    await answer(store.put(key, bytes('there')));
    await fails(store.completeUpload(key, uploadId, parts, { ifNoneMatch: '*' }), 'AlreadyExists');
    assert.equal(await read(store, key), 'there');
    await answer(store.abortUpload(key, uploadId));
  });

  test('Complete with ifMatch replaces only that object', async ({ store, prefix, supports }) => {
    if (!supports.conditionalComplete) return;
    const key = `${prefix}a`;
    const there = await answer(store.put(key, bytes('there')));
    const { uploadId } = await answer(store.createUpload(key));
    const parts = await uploadParts(store, key, uploadId, [bytes('upload')]);
    await answer(store.put(key, bytes('other')));
    await fails(store.completeUpload(key, uploadId, parts, { ifMatch: there.etag }), 'PreconditionFailed');
    assert.equal(await read(store, key), 'other');
    const { etag } = await answer(store.head(key));
    await answer(store.completeUpload(key, uploadId, parts, { ifMatch: etag }));
    assert.equal(await read(store, key), 'upload');
  });

  test('of concurrent completes of one upload at least one succeeds, and the object is complete', async (on) => {
    const { store, prefix, supports } = on;
    if (!supports.concurrentComplete) return;
    const key = `${prefix}a`;
    const { uploadId } = await answer(store.createUpload(key));
    const parts = await uploadParts(store, key, uploadId, [full(on, 'a'), bytes('end')]);
    const ended = await outcomes(Array.from({ length: 4 }, () => store.completeUpload(key, uploadId, parts)));
    assert.ok(ended.some((outcome) => 'answer' in outcome));
    const head = await answer(store.head(key));
    assert.equal(head.size, supports.minimumPartSize + 3);
    if (supports.md5Etags) assert.equal(head.etag, compositeEtag(parts));
  });

  test('a part can be a range of another object', async ({ store, prefix }) => {
    const source = await answer(store.put(`${prefix}source`, bytes('0123456789')));
    const key = `${prefix}a`;
    const { uploadId } = await answer(store.createUpload(key));
    const from = { key: `${prefix}source`, range: { start: 2, end: 6 }, ifMatch: source.etag };
    const part = await answer(store.copyPart(key, uploadId, 1, from));
    assert.deepEqual([part.number, part.size], [1, 4]);
    await fails(store.copyPart(key, uploadId, 1, { ...from, ifMatch: '0'.repeat(32) }), 'PreconditionFailed');
    await fails(store.copyPart(key, uploadId, 1, { key: `${prefix}none` }), 'NotFound');
    await answer(store.completeUpload(key, uploadId, [part]));
    assert.equal(await read(store, key), '2345');
  });

  test('uploads in progress are listed by key and start time, below a prefix', async ({ store, prefix }) => {
    const made: { key: string; uploadId: string }[] = [];
    for (const name of ['b/1', 'a', 'a/x', 'a', 'c']) {
      const key = prefix + name;
      made.push({ key, uploadId: (await answer(store.createUpload(key))).uploadId });
    }
    const all = await answer(store.listUploads({ prefix }));
    assert.deepEqual(
      all.uploads.map(({ key }) => key),
      ['a', 'a', 'a/x', 'b/1', 'c'].map((name) => prefix + name),
    );
    assert.deepEqual(
      new Set(all.uploads.map(({ uploadId }) => uploadId)),
      new Set(made.map(({ uploadId }) => uploadId)),
    );
    assert.ok(all.uploads.every(({ initiated }) => Math.abs(initiated - Date.now()) < 3_600_000));
    const below = await answer(store.listUploads({ prefix: `${prefix}a` }));
    assert.deepEqual(
      below.uploads.map(({ key }) => key),
      ['a', 'a', 'a/x'].map((name) => prefix + name),
    );
    const [first] = all.uploads;
    assert.ok(first);
    const rest = await answer(store.listUploads({ prefix, after: first }));
    assert.deepEqual(rest.uploads, all.uploads.slice(1));
    for (const { key, uploadId } of made) await answer(store.abortUpload(key, uploadId));
    assert.deepEqual((await answer(store.listUploads({ prefix }))).uploads, []);
  });
}
