/** Names from outside are looked up among own properties, never among inherited ones. */
import { createHash } from 'node:crypto';
import { StoreError } from '../../src/entries/stores.js';
import { mergeS3, encryptBucket } from '../../src/config/mergeS3.js';
import { startGateway, type Gateway } from '../../src/store/gateway/index.js';
import { document, parseXml } from '../../src/store/gateway/xml.js';
import { createMemoryStore } from '../../src/store/memory/index.js';
import { stsError } from '../../src/store/s3/credentials/stsErrors.js';
import { throttleOf, toStoreError } from '../../src/store/s3/errors.js';
import { StateIds } from '../../src/state/backend/stateIds.js';
import { AssumeRoleCommand, STSClient } from '@aws-sdk/client-sts';
import { credentials } from '../store/s3support.js';

const names = ['constructor', 'toString', 'hasOwnProperty', 'valueOf', '__proto__'];

let gateway: Gateway;
beforeEach(async () => {
  gateway = await startGateway({
    buckets: { lake: createMemoryStore() },
    credentials,
    sts: { roles: { 'arn:aws:iam:::role/lake': {} } },
  });
});
afterEach(() => gateway.close());

describe.each(names)('%s', (name) => {
  test('is not a role', async () => {
    const client = new STSClient({
      endpoint: gateway.endpoint,
      region: 'us-east-1',
      credentials,
      maxAttempts: 1,
    });
    const session = client.send(new AssumeRoleCommand({ RoleArn: name, RoleSessionName: 'me' }));
    await expect(session).rejects.toMatchObject({ name: 'AccessDenied' });
    client.destroy();
  });

  test('is not an entity of XML', () => {
    expect(() => parseXml(`<a>&${name};</a>`)).toThrow('not well-formed');
    expect(document('a', { b: name })).toContain(`<b>${name}</b>`);
  });

  test('is not a signed header', async () => {
    const date = new Date().toISOString().replace(/[-:]|\.\d+/g, '');
    const response = await fetch(`${gateway.endpoint}/lake/x`, {
      headers: {
        'x-amz-date': date,
        'x-amz-content-sha256': createHash('sha256').update('').digest('hex'),
        authorization: `AWS4-HMAC-SHA256 Credential=${credentials.accessKeyId}/${date.slice(0, 8)}/us-east-1/s3/aws4_request, SignedHeaders=${name};host;x-amz-content-sha256;x-amz-date, Signature=${'0'.repeat(64)}`,
      },
    });
    expect(response.status).toBe(403);
    expect(await response.text()).toContain('SignatureDoesNotMatch');
  });

  test('from a server is not a known code', () => {
    const raw = { name, message: 'm', $fault: 'client', $metadata: { httpStatusCode: 400 } };
    const error = toStoreError(raw, { operation: 's3:GetObject', bucket: 'lake' } as never);
    expect(error).toBeInstanceOf(StoreError);
    expect(error.code).toBe('InvalidRequest');
    expect(error.message).not.toMatch(/function|native code/);
    expect(throttleOf(raw)).toBeUndefined();
    const refused = stsError(raw, 'No session', name) as StoreError;
    expect(refused.code).toBe('InvalidRequest');
    expect(refused.message).not.toMatch(/function|native code/);
  });

  test('is a bucket like any other', () => {
    const merged = mergeS3({ buckets: { other: {} } }, { buckets: { [name]: { region: 'r' } } });
    if (name !== '__proto__') expect(merged.buckets?.[name]).toEqual({ region: 'r' });
    const encrypted = encryptBucket({}, `s3://${name}/x`);
    if (name !== '__proto__') expect(encrypted.buckets).toEqual({ [name]: { sse: { type: 'sse-s3' } } });
  });

  test('is not declared state', () => {
    const stored = [[{ id: name, name }]];
    expect(() => new StateIds({ operator: 'op', states: {} }, stored)).toThrow('no longer declared');
  });
});
