import assert from 'node:assert/strict';
import type { Declare } from './case.js';
import { answer, bytes, fails, outcomes, read } from './support.js';

/** Conditional requests, even when several race. */
export function conditionTests(test: Declare): void {
  test('ifNoneMatch creates but never replaces', async ({ store, prefix }) => {
    await answer(store.put(`${prefix}a`, bytes('first'), { ifNoneMatch: '*' }));
    await fails(store.put(`${prefix}a`, bytes('second'), { ifNoneMatch: '*' }), 'AlreadyExists');
    assert.equal(await read(store, `${prefix}a`), 'first');
    await answer(store.delete([`${prefix}a`]));
    await answer(store.put(`${prefix}a`, bytes('third'), { ifNoneMatch: '*' }));
    assert.equal(await read(store, `${prefix}a`), 'third');
  });

  test('of 16 concurrent creators exactly one wins, and its bytes are stored', async ({ store, prefix }) => {
    for (const round of [1, 2, 3, 4]) {
      const key = `${prefix}${round}`;
      const ended = await outcomes(
        Array.from({ length: 16 }, (_, i) => store.put(key, bytes(`writer ${i}`), { ifNoneMatch: '*' })),
      );
      const winners = ended.flatMap((outcome, i) => ('answer' in outcome ? [i] : []));
      assert.equal(winners.length, 1);
      for (const outcome of ended)
        if ('code' in outcome) assert.match(outcome.code, /^(AlreadyExists|Conflict)$/);
      assert.equal(await read(store, key), `writer ${winners[0] ?? ''}`);
    }
  });

  test('reads respect ifMatch', async ({ store, prefix }) => {
    const { etag } = await answer(store.put(`${prefix}a`, bytes('one')));
    assert.equal((await answer(store.head(`${prefix}a`, { ifMatch: etag }))).etag, etag);
    assert.equal((await answer(store.get(`${prefix}a`, { ifMatch: etag }))).info.etag, etag);
    await answer(store.put(`${prefix}a`, bytes('two')));
    await fails(store.head(`${prefix}a`, { ifMatch: etag }), 'PreconditionFailed');
    await fails(store.get(`${prefix}a`, { ifMatch: etag }), 'PreconditionFailed');
    await fails(
      store.get(`${prefix}a`, { ifMatch: etag, range: { start: 1, end: 2 } }),
      'PreconditionFailed',
    );
  });

  test('a put with ifMatch replaces only the object with that ETag', async ({ store, prefix, supports }) => {
    if (!supports.putIfMatch) return;
    const first = await answer(store.put(`${prefix}a`, bytes('one')));
    const second = await answer(store.put(`${prefix}a`, bytes('two'), { ifMatch: first.etag }));
    await fails(store.put(`${prefix}a`, bytes('three'), { ifMatch: first.etag }), 'PreconditionFailed');
    assert.equal(await read(store, `${prefix}a`), 'two');
    await answer(store.put(`${prefix}a`, bytes('three'), { ifMatch: second.etag }));
    await fails(
      store.put(`${prefix}none`, bytes('x'), { ifMatch: first.etag }),
      'NotFound',
      'PreconditionFailed',
    );
    await fails(store.head(`${prefix}none`), 'NotFound');
  });

  test('of 16 concurrent replacers exactly one wins', async ({ store, prefix, supports }) => {
    if (!supports.putIfMatch) return;
    const { etag } = await answer(store.put(`${prefix}a`, bytes('base')));
    const ended = await outcomes(
      Array.from({ length: 16 }, (_, i) => store.put(`${prefix}a`, bytes(`writer ${i}`), { ifMatch: etag })),
    );
    const winners = ended.flatMap((outcome, i) => ('answer' in outcome ? [i] : []));
    assert.equal(winners.length, 1);
    for (const outcome of ended)
      if ('code' in outcome) assert.match(outcome.code, /^(PreconditionFailed|Conflict)$/);
    assert.equal(await read(store, `${prefix}a`), `writer ${winners[0] ?? ''}`);
  });

  test('concurrent puts leave one complete body', async ({ store, prefix }) => {
    const bodies = Array.from({ length: 8 }, (_, i) => Buffer.alloc(50_000, 0x61 + i));
    await Promise.all(bodies.map((body) => answer(store.put(`${prefix}a`, body))));
    const { info, chunks } = await answer(store.get(`${prefix}a`));
    assert.equal(info.size, 50_000);
    assert.ok(bodies.some((body) => body.equals(Buffer.concat(chunks))));
  });
}
