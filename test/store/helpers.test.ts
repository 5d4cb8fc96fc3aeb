import fc from 'fast-check';
import { lastValueFrom, take, toArray } from 'rxjs';
import { counting } from '../../src/store/decorators/counting.js';
import { afterPrefix, compareKeys, compositeEtag, listAll, md5 } from '../../src/store/helpers.js';
import { createMemoryStore } from '../../src/store/memory/index.js';
import { createStores } from '../../src/store/registry.js';

const key = fc.string({ unit: 'binary' });
const utf8 = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

describe('keys', () => {
  it('compare as their UTF-8 bytes do', () => {
    fc.assert(
      fc.property(key, key, (a, b) => {
        expect(Math.sign(compareKeys(a, b))).toBe(utf8(a, b));
      }),
    );
  });

  it('after a prefix come the greater keys that do not start with it', () => {
    fc.assert(
      fc.property(key, key, key, (prefix, rest, other) => {
        const after = afterPrefix(prefix);
        if (after === undefined) return;
        expect(utf8(prefix + rest, after)).toBe(-1);
        if (utf8(other, prefix) > 0 && !other.startsWith(prefix))
          expect(utf8(other, after)).toBeGreaterThanOrEqual(0);
      }),
    );
  });
});

it('the composite ETag is the MD5 of the MD5s, and their number', () => {
  // Known from S3: two parts of `a` and `b`.
  const parts = ['a', 'b'].map((text) => ({ etag: md5(Buffer.from(text)) }));
  expect(compositeEtag(parts)).toBe(`${md5(Buffer.from(parts.map(({ etag }) => etag).join(''), 'hex'))}-2`);
});

it('listAll requests a page only when it is needed', async () => {
  const { store, counts } = counting(createMemoryStore());
  for (const name of ['a', 'b', 'c', 'd', 'e']) await lastValueFrom(store.put(name, Buffer.from('x')));
  await lastValueFrom(listAll(store, '', { limit: 2 }).pipe(take(1)));
  expect(counts().requests.list).toBe(1);
  const pages = await lastValueFrom(listAll(store, '', { limit: 2 }).pipe(toArray()));
  expect(pages.map((page) => page.length)).toEqual([2, 2, 1]);
});

describe('the registry', () => {
  it('returns one store for one bucket', () => {
    const stores = createStores();
    const a = stores.open('memory://lake/a%20b');
    expect(a.key).toBe('a b');
    expect(stores.open('memory://lake/x').store).toBe(a.store);
    expect(stores.open('memory://other/x').store).not.toBe(a.store);
    expect(stores.open('file:///tmp/lake/x')).toMatchObject({ key: 'lake/x', store: { uri: 'file:///tmp' } });
  });

  it('opens s3 only with the given factory', () => {
    expect(() => createStores().open('s3://lake/x')).toThrow(
      expect.objectContaining({ code: 'UnknownScheme' }) as Error,
    );
    const lake = createMemoryStore();
    expect(createStores({ schemes: { s3: () => lake } }).open('s3a://lake/x')).toMatchObject({
      store: lake,
      key: 'x',
    });
  });
});
