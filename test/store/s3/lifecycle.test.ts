import type { LifecycleRule } from '../../../src/store/services.js';
import { openStores } from '../../../src/store/open.js';
import { startGateway } from '../../../src/store/gateway/index.js';
import { createMemoryStore } from '../../../src/store/memory/index.js';
import { altered, type Altered, type ProxyReply } from '../alteringProxy.js';
import { answer, credentials, failure } from '../s3support.js';

const rules: readonly LifecycleRule[] = [
  { id: 'all', enabled: true, prefix: '', hasOtherFilter: false, abortIncompleteAfterDays: 7 },
  { id: 'old', enabled: false, prefix: 'raw/ä&b ', hasOtherFilter: false, expireAfterDays: 30 },
  { enabled: true, prefix: 'tmp/', hasOtherFilter: true, expireAtDate: Date.UTC(2030, 0) },
  { enabled: true, prefix: 'cold/', hasOtherFilter: false, archiveAfterDays: 90 },
  { enabled: true, prefix: 'then/', hasOtherFilter: false, archiveAtDate: Date.UTC(2031, 0) },
];

test('what a server has is read; nothing is no rule', async () => {
  await using gateway = await startGateway({
    buckets: { lake: createMemoryStore(), pond: createMemoryStore() },
    credentials,
    lifecycle: { lake: rules },
  });
  using stores = openStores({ s3: { endpoint: gateway.endpoint, credentials } });
  const read = (uri: string): Promise<unknown> => answer(stores.open(uri).lifecycle!);
  expect(await read('s3://lake/any/folder')).toEqual(rules);
  expect(await read('s3://pond')).toEqual([]);
  expect(await failure(stores.open('s3://none').lifecycle!)).toMatchObject({
    code: 'NotFound',
    serverCode: 'NoSuchBucket',
  });
  expect(stores.open('memory://lake').lifecycle).toBeUndefined();
});

describe('documents', () => {
  let server: Altered;
  beforeEach(async () => {
    server = await altered();
  });
  afterEach(() => server.close());

  const reply = (body: string, status = 200): ProxyReply => ({ status, headers: {}, body });
  const ruleOf = async (content: string): Promise<LifecycleRule | undefined> => {
    const rule = `<Rule>${content}</Rule>`;
    server.instead = () => reply(`<LifecycleConfiguration>${rule}</LifecycleConfiguration>`);
    return (await answer(server.s3.lifecycle('lake')))[0];
  };
  const on = '<Status>Enabled</Status>';

  test.each<[string, Partial<LifecycleRule>]>([
    ['<Prefix>a/</Prefix>', { prefix: 'a/', hasOtherFilter: false }],
    ['<Filter><Prefix>a/</Prefix></Filter>', { prefix: 'a/', hasOtherFilter: false }],
    ['<Filter/>', { prefix: '', hasOtherFilter: false }],
    ['<Filter><Tag><Key>k</Key><Value>v</Value></Tag></Filter>', { prefix: '', hasOtherFilter: true }],
    [
      '<Filter><ObjectSizeGreaterThan>1</ObjectSizeGreaterThan></Filter>',
      { prefix: '', hasOtherFilter: true },
    ],
    [
      '<Filter><And><Prefix>a/</Prefix><ObjectSizeLessThan>1</ObjectSizeLessThan></And></Filter>',
      { prefix: 'a/', hasOtherFilter: true },
    ],
    [
      '<Filter><And><Prefix>a/</Prefix><Tag><Key>k</Key><Value>v</Value></Tag></And></Filter>',
      { prefix: 'a/', hasOtherFilter: true },
    ],
    ['<Expiration><Date>2030-01-01T00:00:00.000Z</Date></Expiration>', { expireAtDate: Date.UTC(2030, 0) }],
    ['<Expiration><Date>2030-01-01</Date></Expiration>', { expireAtDate: Date.UTC(2030, 0) }],
  ])('%s', async (content, expected) => {
    expect(await ruleOf(content + on)).toMatchObject(expected);
  });

  test('what concerns no current object is no expiry', async () => {
    const content =
      '<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>' +
      '<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays></NoncurrentVersionExpiration>';
    expect(await ruleOf(content + on)).toEqual({ enabled: true, prefix: '', hasOtherFilter: false });
  });

  test.each([
    [403, 'AccessDenied', { code: 'PermissionDenied' }, 'Allow s3:GetLifecycleConfiguration on lake'],
    [501, 'NotImplemented', { code: 'NotSupported' }, 'GetBucketLifecycleConfiguration'],
  ])('%i: the message says what to do', async (status, code, expected, message) => {
    server.instead = () => reply(`<Error><Code>${code}</Code></Error>`, status);
    const error = await failure(server.s3.lifecycle('lake'));
    expect(error).toMatchObject(expected);
    expect(error.message).toContain(message);
  });

  test('a page of something else is refused', async () => {
    server.instead = () => reply('<html></html>');
    expect(await failure(server.s3.lifecycle('lake'))).toMatchObject({ code: 'NotSupported' });
  });
});
