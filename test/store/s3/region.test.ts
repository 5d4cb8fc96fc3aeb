import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startGateway } from '../../../src/store/gateway/index.js';
import { createMemoryStore } from '../../../src/store/memory/index.js';
import { AwsSettings } from '../../../src/store/s3/aws/settings.js';
import { S3Connection } from '../../../src/store/s3/index.js';
import { firstRegion } from '../../../src/store/s3/region.js';
import { answer, credentials, failure } from '../s3support.js';

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function serve(
  answerTo: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<string> {
  const server = createServer((request, response) => {
    request.resume().once('end', () => answerTo(request, response));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function connect(endpoint: string): S3Connection {
  const s3 = new S3Connection({ endpoint, region: 'us-east-1', credentials, retry: { maxRetries: 0 } });
  closing.push(() => s3.close());
  return s3;
}

interface Refusal {
  readonly status: number;
  readonly code: string;
  /** Where the answer names the region; the one to HeadBucket always does in its header, as AWS’s does. */
  readonly names: 'header' | 'document' | undefined;
}

describe('a bucket in another region', () => {
  /** Buckets by region, behind one endpoint; requests that were signed for another region are refused. */
  async function regions(
    refusal: Refusal,
    buckets: Readonly<Record<string, string>> = { lake: 'eu-west-1' },
  ): Promise<{ readonly endpoint: string; readonly log: string[] }> {
    const log: string[] = [];
    const endpoint = await serve((request, response) => {
      const [, bucket = '', key = ''] = /^\/([^/?]+)\/?([^?]*)/.exec(request.url ?? '') ?? [];
      const signed = /Credential=[^/]+\/\d+\/([^/]+)/.exec(request.headers.authorization ?? '')?.[1] ?? '';
      log.push(`${request.method ?? ''} ${bucket}/${key} ${signed}`);
      const region = buckets[bucket] ?? '';
      if (signed === region) {
        response.writeHead(200, { etag: '"tag"', 'content-length': request.method === 'GET' ? 1 : 0 });
        response.end(request.method === 'GET' ? 'x' : '');
        return;
      }
      if (refusal.names === 'header' || (request.method === 'HEAD' && key === ''))
        response.setHeader('x-amz-bucket-region', region);
      const element = refusal.names === 'document' ? `<Region>${region}</Region>` : '';
      response.writeHead(refusal.status, { 'content-type': 'application/xml' });
      response.end(
        request.method === 'HEAD'
          ? ''
          : `<Error><Code>${refusal.code}</Code><Message>no</Message>${element}</Error>`,
      );
    });
    return { endpoint, log };
  }

  const refusals: readonly (readonly [string, Refusal])[] = [
    ['301, with a header', { status: 301, code: 'PermanentRedirect', names: 'header' }],
    ['301, without one', { status: 301, code: 'PermanentRedirect', names: undefined }],
    ['307, without one', { status: 307, code: 'TemporaryRedirect', names: undefined }],
    ['400, in the document', { status: 400, code: 'AuthorizationHeaderMalformed', names: 'document' }],
    ['400, not at all', { status: 400, code: 'AuthorizationHeaderMalformed', names: undefined }],
    ['400, with a header', { status: 400, code: 'IllegalLocationConstraintException', names: 'header' }],
    ['403, with a header', { status: 403, code: 'AccessDenied', names: 'header' }],
  ];

  test.each(refusals)('is found if it answers %s; once, for all requests that follow', async (_, refusal) => {
    const { endpoint, log } = await regions(refusal);
    const s3 = connect(endpoint);
    const store = s3.store('lake');
    expect(await answer(store.put('a', Buffer.from('x'), { ifNoneMatch: '*' }))).toEqual({ etag: 'tag' });
    expect((await answer(store.get('a'))).chunks).toHaveLength(1);
    await answer(s3.reserved('lake').head('a'));
    await answer(s3.store('lake').put('b', Buffer.from('x')));
    expect(log).toEqual([
      'PUT lake/a us-east-1',
      ...(refusal.names === undefined ? ['HEAD lake/ us-east-1'] : []),
      'PUT lake/a eu-west-1',
      'GET lake/a eu-west-1',
      'HEAD lake/a eu-west-1',
      'PUT lake/b eu-west-1',
    ]);
  });

  test.each([301, 400])('is found by a HEAD, whose %i has no document', async (status) => {
    const { endpoint, log } = await regions({ status, code: '', names: undefined });
    await answer(connect(endpoint).store('lake').head('a'));
    expect(log).toEqual(['HEAD lake/a us-east-1', 'HEAD lake/ us-east-1', 'HEAD lake/a eu-west-1']);
  });

  test('is not confused with the region of a copy’s source', async () => {
    const buckets = { lake: 'eu-west-1', source: 'ap-south-1' };
    const { endpoint, log } = await regions(
      { status: 301, code: 'PermanentRedirect', names: 'header' },
      buckets,
    );
    const store = connect(endpoint).store('lake');
    const part = store.copyPart('a', 'upload', 1, { bucket: 'source', key: 'b' });
    // The answer to the copy is no document of S3; where requests went is what counts.
    await answer(part).catch(() => undefined);
    expect(log.slice(0, 4)).toEqual([
      'HEAD source/b us-east-1',
      'HEAD source/b ap-south-1',
      'PUT lake/a us-east-1',
      'PUT lake/a eu-west-1',
    ]);
    expect(log.slice(4).filter((line) => !/ (lake\/a eu-west-1|source\/b ap-south-1)$/.test(line))).toEqual(
      [],
    );
  });

  test('is an error if the named region refuses, too', async () => {
    const log: string[] = [];
    const endpoint = await serve((request, response) => {
      log.push(request.method ?? '');
      response.writeHead(301, { 'x-amz-bucket-region': 'eu-west-1' });
      response.end('<Error><Code>PermanentRedirect</Code></Error>');
    });
    const store = connect(endpoint).store('lake');
    expect(await failure(store.get('a'))).toMatchObject({
      message: expect.stringContaining('region') as string,
    });
    expect(log).toEqual(['GET', 'GET']);
  });

  test('is not assumed if access is denied in the right one', async () => {
    const log: string[] = [];
    const endpoint = await serve((request, response) => {
      log.push(request.method ?? '');
      response.writeHead(403, { 'x-amz-bucket-region': 'us-east-1' });
      response.end('<Error><Code>AccessDenied</Code></Error>');
    });
    expect(await failure(connect(endpoint).store('lake').get('a'))).toMatchObject({
      code: 'PermissionDenied',
    });
    expect(log).toEqual(['GET']);
  });

  test('is reported by the gateway as by AWS', async () => {
    const gateway = await startGateway({
      buckets: { lake: createMemoryStore() },
      credentials,
      region: 'eu-west-1',
    });
    closing.push(() => gateway.close());
    const store = connect(gateway.endpoint).store('lake');
    await answer(store.put('a', Buffer.from('x')));
    expect((await answer(store.head('a'))).size).toBe(1);
  });
});

describe('the initial region', () => {
  const names = [
    'AWS_REGION',
    'AWS_DEFAULT_REGION',
    'AWS_PROFILE',
    'AWS_CONFIG_FILE',
    'AWS_SHARED_CREDENTIALS_FILE',
  ] as const;
  const before = Object.fromEntries(names.map((name) => [name, process.env[name]]));
  let directory: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'millrace-region-'));
    for (const name of names) Reflect.deleteProperty(process.env, name);
    process.env['AWS_CONFIG_FILE'] = join(directory, 'config');
    process.env['AWS_SHARED_CREDENTIALS_FILE'] = join(directory, 'credentials');
  });
  afterEach(async () => {
    for (const name of names) {
      if (before[name] === undefined) Reflect.deleteProperty(process.env, name);
      else process.env[name] = before[name];
    }
    await rm(directory, { recursive: true });
  });

  /** An instance's metadata, as IMDSv2 tells them. */
  async function instance(region: string): Promise<{ env: Record<string, string>; asked: string[] }> {
    const asked: string[] = [];
    const endpoint = await serve((request, response) => {
      asked.push(`${request.method ?? ''} ${request.url ?? ''}`);
      if (request.method === 'PUT') response.end('a-token');
      else if (request.headers['x-aws-ec2-metadata-token'] === 'a-token') response.end(region);
      else response.writeHead(401).end();
    });
    return { env: { AWS_EC2_METADATA_SERVICE_ENDPOINT: endpoint }, asked };
  }

  const aws = { region: undefined, custom: false };
  const settings = (env: Record<string, string>): AwsSettings =>
    new AwsSettings(undefined, { ...process.env, AWS_EC2_METADATA_DISABLED: '', ...env });
  const find = async (
    options: { readonly region: string | undefined; readonly custom: boolean },
    env: Record<string, string>,
  ): Promise<string> => {
    const region = firstRegion({ ...options, aws: settings(env) });
    return typeof region === 'string' ? region : region();
  };

  test('is the configured one, then AWS_REGION, AWS_DEFAULT_REGION, the profile, the instance', async () => {
    const { env, asked } = await instance('sa-east-1');
    expect(await find(aws, env)).toBe('sa-east-1');
    expect(asked).toEqual(['PUT /latest/api/token', 'GET /latest/meta-data/placement/region']);
    await writeFile(join(directory, 'config'), '[default]\nregion = eu-north-1\n');
    expect(await find(aws, env)).toBe('eu-north-1');
    process.env['AWS_DEFAULT_REGION'] = 'ap-south-1';
    expect(await find(aws, env)).toBe('ap-south-1');
    process.env['AWS_REGION'] = '';
    expect(await find(aws, env)).toBe('ap-south-1');
    process.env['AWS_REGION'] = 'eu-south-1';
    expect(await find(aws, env)).toBe('eu-south-1');
    expect(await find({ ...aws, region: 'eu-west-1' }, env)).toBe('eu-west-1');
    expect(asked).toHaveLength(2);
  });

  test('is requested once', async () => {
    const { env, asked } = await instance('sa-east-1');
    const region = firstRegion({ ...aws, aws: settings(env) }) as () => Promise<string>;
    expect(await Promise.all([region(), region(), region()])).toEqual(Array(3).fill('sa-east-1'));
    expect(await region()).toBe('sa-east-1');
    expect(asked).toHaveLength(2);
  });

  test('is never guessed: the error names every way to set it', async () => {
    const { env, asked } = await instance('<html>captive portal</html>');
    const missing = {
      code: 'RegionMissing',
      message: expect.stringMatching(
        /AWS_REGION or AWS_DEFAULT_REGION.*profile 'default' in \S+config .*no such file.* or \S+credentials.*IMDS/,
      ) as string,
    };
    await expect(find(aws, env)).rejects.toMatchObject(missing);
    const before = asked.length;
    await expect(find(aws, { ...env, AWS_EC2_METADATA_DISABLED: 'true' })).rejects.toMatchObject(missing);
    expect(asked).toHaveLength(before);
    await expect(
      find(aws, { AWS_EC2_METADATA_DISABLED: 'true', AWS_PROFILE: 'nobody' }),
    ).rejects.toMatchObject({
      message: expect.stringMatching(/profile 'nobody' \(there is no such profile\) in/) as string,
    });
    const silent = await serve(() => undefined);
    await expect(find(aws, { AWS_EC2_METADATA_SERVICE_ENDPOINT: silent })).rejects.toMatchObject(missing);
  });

  test('is us-east-1 for other servers, without asking an instance', async () => {
    const { env, asked } = await instance('sa-east-1');
    expect(await find({ region: undefined, custom: true }, env)).toBe('us-east-1');
    process.env['AWS_REGION'] = 'eu-south-1';
    expect(await find({ region: undefined, custom: true }, env)).toBe('eu-south-1');
    expect(asked).toEqual([]);
  });
});
