import fc from 'fast-check';
import { lastValueFrom, map, toArray } from 'rxjs';
import { createMemoryStore } from '../../../src/store/memory/index.js';
import { compareKeys, listAll } from '../../../src/store/helpers.js';
import { eachUploads, listedParts, listPages } from '../../../src/store/pages.js';
import type { ListOptions, ListPage, ObjectStore } from '../../../src/store/objectStore.js';
import { altered, listings, type Altered, type ProxyReply } from '../alteringProxy.js';
import { answer, failure } from '../s3support.js';

let proxy: Altered;
beforeEach(async () => {
  proxy = await altered();
});
afterEach(() => proxy.close());

const keysOf = async (prefix = '', limit?: number): Promise<string[]> => {
  const options = limit === undefined ? {} : { limit };
  const pages = await lastValueFrom(listAll(proxy.store, prefix, options).pipe(toArray()));
  return pages.flat().map(({ key }) => key);
};

const pagesOf = (options: Omit<ListOptions, 'cursor'>): Promise<ListPage[]> =>
  lastValueFrom(listPages(proxy.store, options).pipe(toArray()));

async function fill(keys: readonly string[], store: ObjectStore = proxy.lake): Promise<void> {
  for (const key of keys) await answer(store.put(key, Buffer.from(key)));
}

const remove =
  (name: string) =>
  (xml: string): string =>
    xml.replace(new RegExp(`<${name}>[^<]*</${name}>`, 'g'), '');

const turned = (xml: string): string => {
  const entries = xml.match(/<Contents>.*?<\/Contents>/gs) ?? [];
  let i = entries.length;
  return xml.replace(/<Contents>.*?<\/Contents>/gs, () => entries[--i] ?? '');
};

describe('a truncated listing', () => {
  const names = ['d/a', 'd/b/1', 'd/b/2', 'd/c', 'd/d/1', 'd/e'];
  beforeEach(() => fill(names));

  test('without a token continues after its last key', async () => {
    proxy.alter = listings(remove('NextContinuationToken'));
    for (const limit of [1, 2, 3, 5]) expect(await keysOf('d/', limit)).toEqual(names);
  });

  test('without a token continues after its last prefix, too', async () => {
    proxy.alter = listings(remove('NextContinuationToken'));
    for (const limit of [1, 2, 3, 5]) {
      const pages = await pagesOf({ prefix: 'd/', delimiter: '/', limit });
      expect(pages.flatMap(({ objects }) => objects.map(({ key }) => key))).toEqual(['d/a', 'd/c', 'd/e']);
      expect(pages.flatMap(({ prefixes }) => prefixes)).toEqual(['d/b/', 'd/d/']);
    }
  });

  test('that repeats a prefix on the next page emits it once', async () => {
    let repeated = '';
    proxy.alter = listings((xml) => {
      const before = repeated;
      repeated = /.*(<CommonPrefixes>.*?<\/CommonPrefixes>)/s.exec(xml)?.[1] ?? '';
      return (
        xml.replace('</ListBucketResult>', '').replace(/(<CommonPrefixes>|$)/, `${before}$1`) +
        '</ListBucketResult>'
      );
    });
    const pages = await pagesOf({ prefix: 'd/', delimiter: '/', limit: 2 });
    expect(pages.flatMap(({ prefixes }) => prefixes)).toEqual(['d/b/', 'd/d/']);
  });

  test('with neither a token nor a key fails', async () => {
    proxy.alter = listings((xml) =>
      remove('KeyCount')(remove('NextContinuationToken')(xml)).replace(/<Contents>.*<\/Contents>/s, ''),
    );
    expect(await failure(listAll(proxy.store, 'd/', { limit: 2 }))).toMatchObject({
      code: 'NotSupported',
      retryable: false,
    });
  });

  const empty = (token: string): ProxyReply => ({
    status: 200,
    headers: { 'content-type': 'application/xml' },
    body: `<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>${token}</NextContinuationToken></ListBucketResult>`,
  });

  test('with the same token on every page, and no key, fails', async () => {
    proxy.instead = () => empty('same');
    expect(await failure(listAll(proxy.store, 'd/'))).toMatchObject({ code: 'NotSupported' });
    expect(proxy.requests).toHaveLength(2);
  });

  test('with new tokens on every page, and no key, fails in the end', async () => {
    proxy.instead = () => empty(`${proxy.requests.length}`);
    const { cursor = '' } = await answer(proxy.store.list({}));
    const far = JSON.stringify({ ...(JSON.parse(cursor) as object), empty: 9_998 });
    const { cursor: next = '' } = await answer(proxy.store.list({ cursor: far }));
    const { cursor: end = '' } = await answer(proxy.store.list({ cursor: next }));
    expect(await failure(proxy.store.list({ cursor: end }))).toMatchObject({ code: 'NotSupported' });
  });

  test('may have empty pages in between', async () => {
    const first = await answer(proxy.lake.list({ prefix: 'd/', limit: 2 }));
    let empties = 0;
    proxy.instead = ({ query }) => {
      if (query.get('list-type') !== '2' || query.has('continuation-token') || empties > 0) return undefined;
      empties++;
      return empty(Buffer.from(first.cursor ?? '').toString('base64url'));
    };
    expect(await keysOf('d/')).toEqual(names.slice(2));
  });

  test('with a token is continued although it claims to be complete', async () => {
    proxy.alter = listings((xml) => xml.replace('<IsTruncated>true', '<IsTruncated>false'));
    expect(await keysOf('d/', 2)).toEqual(names);
  });

  test('with a token fails if it omits IsTruncated', async () => {
    proxy.alter = listings(remove('IsTruncated'));
    expect(await failure(listAll(proxy.store, 'd/'))).toMatchObject({ code: 'NotSupported' });
  });

  test('with its first page for every token fails', async () => {
    const first = new Map<string, string>();
    proxy.alter = listings((xml, { query }) => {
      const prefix = query.get('prefix') ?? '';
      first.set(prefix, first.get(prefix) ?? xml);
      return first.get(prefix) ?? '';
    });
    expect(await failure(listAll(proxy.store, 'd/', { limit: 2 }))).toMatchObject({
      code: 'NotSupported',
      message: expect.stringContaining('d/a comes after d/b/1') as string,
    });
  });
});

describe('keys that do not belong in a listing', () => {
  beforeEach(() => fill(['d/a', 'd/b', 'd/c', 'd/s/x', 'e/a']));

  test.each<[string, ListOptions, (xml: string) => string, RegExp]>([
    ['out of order', { prefix: 'd/' }, turned, /out of order/],
    [
      'twice',
      { prefix: 'd/' },
      (xml) => xml.replace(/(<Contents>.*?<\/Contents>)/s, '$1$1'),
      /d\/a comes after d\/a/,
    ],
    [
      'of another prefix',
      { prefix: 'd/' },
      (xml) => xml.replaceAll('<Key>d/c', '<Key>e/a'),
      /not below the prefix d\//,
    ],
    [
      'before the point to start at',
      { startAfter: 'd/b' },
      (xml) => xml.replace('<Key>d/c', '<Key>d/a'),
      /d\/a comes after d\/b/,
    ],
    [
      'that the delimiter folds',
      { prefix: 'd/', delimiter: '/' },
      (xml) => xml.replaceAll('<Key>d/c', '<Key>d/c/d'),
      /which the delimiter folds/,
    ],
    [
      'folded without being asked',
      { prefix: 'd/' },
      (xml) =>
        xml.replace(
          '</ListBucketResult>',
          '<CommonPrefixes><Prefix>d/t/</Prefix></CommonPrefixes></ListBucketResult>',
        ),
      /not requested/,
    ],
    [
      'in a prefix out of order',
      { prefix: 'd/', delimiter: '/' },
      (xml) =>
        xml.replace(
          '</ListBucketResult>',
          '<CommonPrefixes><Prefix>d/a/</Prefix></CommonPrefixes></ListBucketResult>',
        ),
      /d\/a\/ comes after d\/s\//,
    ],
    ['without a size', { prefix: 'd/' }, remove('Size'), /no size/],
    [
      'with a negative size',
      { prefix: 'd/' },
      (xml) => xml.replace(/<Size>.*?<\/Size>/, '<Size>-1</Size>'),
      /no size/,
    ],
    [
      'with a size that is no number',
      { prefix: 'd/' },
      (xml) => xml.replace(/<Size>.*?<\/Size>/, '<Size>big</Size>'),
      /no size/,
    ],
    ['without an ETag', { prefix: 'd/' }, remove('ETag'), /no ETag/],
    ['without a name', { prefix: 'd/' }, (xml) => xml.replaceAll('<Key>d/c</Key>', ''), /no key/],
  ])('%s', async (_, options, edit, message) => {
    proxy.alter = listings(edit);
    expect(await failure(proxy.store.list(options))).toMatchObject({
      code: 'NotSupported',
      retryable: false,
      message: expect.stringMatching(message) as string,
    });
  });

  test.each<[string, (xml: string) => string]>([
    ['of another bucket', (xml) => xml.replace('<Name>lake', '<Name>pond')],
    [
      'of another prefix, and empty',
      (xml) =>
        xml
          .replace('<Prefix>d/', '<Prefix>f/')
          .replace(/<Contents>.*<\/Contents>/s, '')
          .replace(/<KeyCount>.*<\/KeyCount>/, ''),
    ],
    ['with fewer keys than it counts', (xml) => xml.replace(/<Contents>.*?<\/Contents>/s, '')],
  ])('a listing %s is Integrity: asked again, it may be right', async (_, edit) => {
    proxy.alter = listings(edit);
    expect(await failure(proxy.store.list({ prefix: 'd/' }))).toMatchObject({
      code: 'Integrity',
      retryable: true,
    });
  });

  test('a listing without counts or names is accepted', async () => {
    for (const edit of [
      (xml: string) => xml.replace(/<KeyCount>.*<\/KeyCount>/, '<KeyCount>3</KeyCount>'),
      remove('KeyCount'),
      remove('Name'),
    ]) {
      proxy.alter = listings(edit);
      const { objects, prefixes } = await answer(proxy.store.list({ prefix: 'd/', delimiter: '/' }));
      expect([objects.map(({ key }) => key), prefixes]).toEqual([['d/a', 'd/b', 'd/c'], ['d/s/']]);
    }
  });

  test('the name of a bucket may lack its tenant; an alias names no bucket', async () => {
    await proxy.close();
    const name = 'point-hrzrlukc5m36ft7okagglf3gmwluquse1b-s3alias';
    proxy = await altered({}, { [name]: proxy.lake });
    proxy.alter = listings((xml) => xml.replace(`<Name>${name}`, '<Name>lake'));
    expect((await answer(proxy.s3.store(name).list({ prefix: 'e/' }))).objects).toHaveLength(1);
  });
});

describe('keys are decoded correctly, however a server encodes them', () => {
  const raw = (xml: string): string =>
    xml.replace(
      /<(Key|Prefix)>(.*?)<\/\1>/gs,
      (_, tag: string, value: string) =>
        `<${tag}>${decodeURIComponent(value).replace(/&/g, '&amp;').replace(/</g, '&lt;')}</${tag}>`,
    );
  const asForm = (xml: string): string =>
    xml.replace(
      /<(Key|Prefix)>(.*?)<\/\1>/gs,
      (_, tag: string, value: string) => `<${tag}>${value.replaceAll('%20', '+')}</${tag}>`,
    );
  const asPath = (xml: string): string =>
    xml.replace(
      /<(Key|Prefix)>(.*?)<\/\1>/gs,
      (_, tag: string, value: string) => `<${tag}>${value.replaceAll('%2B', '+')}</${tag}>`,
    );
  const asCeph = (xml: string): string =>
    xml.replace(
      /<(Key|Prefix)>(.*?)<\/\1>/gs,
      (_, tag: string, value: string) =>
        `<${tag}>${value.replaceAll('%7C', '|').replaceAll('/', '%2F')}</${tag}>`,
    );
  const silent = remove('EncodingType');
  const encodings: Readonly<Record<string, (xml: string) => string>> = {
    'as URLs': (xml) => xml,
    'as URLs, without telling': silent,
    'as Ceph RGW does': asCeph,
    'as forms': asForm,
    'as forms, without telling': (xml) => silent(asForm(xml)),
    'as URLs, + being itself': asPath,
    'as URLs, + being itself, without telling': (xml) => silent(asPath(xml)),
    'not at all': (xml) => silent(raw(xml)),
    'not at all, and claims to': raw,
  };
  const names = [
    'd/50% off.txt',
    'd/a b.txt',
    'd/a+b.txt',
    'd/ü.txt',
    'd/x%20y.txt',
    'd/a|b',
    'd/&#38;<',
    'd/\u{1f600}',
  ];

  test.each(Object.keys(encodings))('%s', async (name) => {
    const encode = encodings[name] ?? String;
    // A page that was asked for without an encoding has none.
    proxy.alter = listings((xml, { query }) => (query.has('encoding-type') ? encode(xml) : xml));
    await fill(names);
    const sorted = [...names].sort(compareKeys);
    expect(await keysOf('d/')).toEqual(sorted);
    for (const limit of [1, 2]) expect(await keysOf('d/', limit)).toEqual(sorted);
  });

  test.each(Object.keys(encodings).filter((name) => name !== 'not at all, and claims to'))(
    '%s, whatever keys share a page, with a delimiter and without',
    async (name) => {
      const encode = encodings[name] ?? String;
      proxy.alter = listings((xml, { query }) => (query.has('encoding-type') ? encode(xml) : xml));
      const part = fc.stringMatching(/^[a% +ü2B05]{1,4}$/u);
      await fc.assert(
        fc.asyncProperty(
          fc.uniqueArray(fc.tuple(part, part), { maxLength: 5, selector: String }),
          async (pairs) => {
            const keys = [...new Set(pairs.map(([a, b]) => `${a}/${b}`))].sort(compareKeys);
            await fill(keys);
            expect(await keysOf()).toEqual(keys);
            const pages = await pagesOf({ delimiter: '/', limit: 2 });
            expect(pages.flatMap(({ prefixes }) => prefixes)).toEqual(
              [...new Set(keys.map((key) => key.slice(0, key.indexOf('/') + 1)))].sort(compareKeys),
            );
            await answer(proxy.lake.delete(keys));
          },
        ),
        { numRuns: 40 },
      );
    },
  );

  test('characters beyond the basic plane survive as references, too', async () => {
    await fill(['\u{1f600}']);
    proxy.alter = listings((xml) => silent(raw(xml)).replaceAll('\u{1f600}', '&#128512;'));
    expect(await keysOf()).toEqual(['\u{1f600}']);
    proxy.alter = listings((xml) => silent(raw(xml)).replaceAll('\u{1f600}', '&#x1F600;'));
    expect(await keysOf()).toEqual(['\u{1f600}']);
  });

  test('a server is tested once, not for every page', async () => {
    proxy.alter = listings((xml, { query }) => (query.has('encoding-type') ? silent(xml) : xml));
    await fill(names);
    await keysOf('d/', 1);
    expect(proxy.requests.filter(({ query }) => !query.has('encoding-type'))).toHaveLength(1);
  });

  test('a server that encodes and reports it is not tested', async () => {
    proxy.alter = listings((xml) => xml);
    await fill(names);
    await keysOf('d/', 1);
    expect(proxy.requests.filter(({ query }) => !query.has('encoding-type'))).toEqual([]);
  });
});

describe('a listing of uploads', () => {
  const uploadsOf = async (): Promise<string[]> => {
    const work = eachUploads(proxy.store, 'd/', ({ uploads }) => uploads.map(({ key }) => key));
    return lastValueFrom(work.pipe(toArray()));
  };
  beforeEach(async () => {
    for (const key of ['d/a', 'd/b', 'd/b', 'd/c', 'e/a']) await answer(proxy.lake.createUpload(key));
  });
  const onUploads = (edit: (xml: string) => string): void => {
    proxy.alter = (reply, { query }) => {
      if (query.has('uploads')) reply.body = edit(reply.body.toString());
      return undefined;
    };
  };

  test('that is truncated without markers continues after its last upload', async () => {
    await proxy.close();
    const store = createMemoryStore();
    const listUploads = store.listUploads.bind(store);
    store.listUploads = (options) =>
      listUploads(options).pipe(
        map(({ uploads, next }) => {
          const page = uploads.slice(0, 2);
          const last = uploads.length > 2 ? page.at(-1) : next;
          return { uploads: page, ...(last === undefined ? {} : { next: last }) };
        }),
      );
    proxy = await altered({}, { lake: store });
    for (const key of ['d/a', 'd/b', 'd/b', 'd/b', 'd/c', 'e/a']) await answer(store.createUpload(key));
    onUploads((xml) => xml.replace(/<NextKeyMarker>.*?<\/NextUploadIdMarker>/, ''));
    expect(await uploadsOf()).toEqual(['d/a', 'd/b', 'd/b', 'd/b', 'd/c']);
    expect(proxy.requests).toHaveLength(3);
  });

  test.each<[string, (xml: string) => string, RegExp]>([
    ['with an upload of another prefix', (xml) => xml.replace('<Key>d/c', '<Key>e/c'), /not below/],
    ['with an upload without an id', (xml) => xml.replace(/<UploadId>.*?<\/UploadId>/, ''), /no id/],
    ['with an upload of no age', remove('Initiated'), /no start time for an upload/],
    ['out of order', (xml) => xml.replace('<Key>d/a', '<Key>d/z'), /out of order/],
    [
      'that does not tell whether it is whole',
      remove('IsTruncated'),
      /does not announce whether there is more/,
    ],
    [
      'that is truncated and empty',
      (xml) => xml.replace(/<Upload>.*<\/Upload>/s, '').replace('<IsTruncated>false', '<IsTruncated>true'),
      /no place to continue from/,
    ],
    ['that comes again', (xml) => xml.replace('<IsTruncated>false', '<IsTruncated>true'), /or again/],
  ])('%s is NotSupported', async (_, edit, message) => {
    let first: string | undefined;
    onUploads((xml) => edit((first ??= xml)));
    expect(await failure(eachUploads(proxy.store, 'd/', () => []))).toMatchObject({
      code: 'NotSupported',
      message: expect.stringMatching(message) as string,
    });
  });
});

describe('a listing of parts', () => {
  let uploadId: string;
  beforeEach(async () => {
    ({ uploadId } = await answer(proxy.lake.createUpload('a')));
    for (const number of [1, 2, 3])
      await answer(proxy.lake.uploadPart('a', uploadId, number, Buffer.from('x')));
  });
  const onParts = (edit: (xml: string) => string): void => {
    proxy.alter = (reply, { method, query }) => {
      if (method === 'GET' && query.has('uploadId')) reply.body = edit(reply.body.toString());
      return undefined;
    };
  };

  test.each<[string, (xml: string) => string, RegExp]>([
    ['without an ETag', (xml) => xml.replace(/<ETag>.*?<\/ETag>/, ''), /no ETag/],
    ['without a size', (xml) => xml.replace(/<Size>.*?<\/Size>/, ''), /no size/],
    ['with a negative size', (xml) => xml.replace(/<Size>.*?<\/Size>/, '<Size>-1</Size>'), /no size/],
    [
      'with a number that is none',
      (xml) => xml.replace(/<PartNumber>.*?<\/PartNumber>/, '<PartNumber>x</PartNumber>'),
      /no number/,
    ],
    ['out of order', (xml) => xml.replace('<PartNumber>3', '<PartNumber>1'), /out of order/],
    ['of another upload', (xml) => xml.replace(/<UploadId>/, '<UploadId>x'), /another upload/],
    [
      'that does not tell whether it is whole',
      remove('IsTruncated'),
      /does not announce whether there is more/,
    ],
    ['that comes again', (xml) => xml.replace('<IsTruncated>false', '<IsTruncated>true'), /or again/],
  ])('%s is NotSupported', async (_, edit, message) => {
    let first: string | undefined;
    onParts((xml) => edit((first ??= xml)));
    expect(await failure(listedParts(proxy.store, 'a', uploadId))).toMatchObject({
      code: 'NotSupported',
      message: expect.stringMatching(message) as string,
    });
  });

  test('that is truncated without a marker continues after its last part', async () => {
    let cut = true;
    onParts((xml) => {
      if (!cut) return xml;
      cut = false;
      return xml
        .replace(/<Part><PartNumber>3.*?<\/Part>/s, '')
        .replace('<IsTruncated>false', '<IsTruncated>true');
    });
    expect([...(await answer(listedParts(proxy.store, 'a', uploadId))).keys()]).toEqual([1, 2, 3]);
  });
});
