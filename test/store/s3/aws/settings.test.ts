import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jest } from '@jest/globals';
import fc from 'fast-check';
import { SigV4Verifier } from '../../../../src/store/gateway/sigv4.js';
import { targetOf } from '../../../../src/store/gateway/target.js';
import { openStores } from '../../../../src/store/open.js';
import { AwsSettings } from '../../../../src/store/s3/aws/settings.js';
import { HttpHandler } from '../../../../src/store/s3/httpHandler.js';
import { S3Connection, type S3Options } from '../../../../src/store/s3/index.js';
import { resolveOptions } from '../../../../src/store/s3/options.js';
import { answer, credentials, failure } from '../../s3support.js';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'millrace-endpoints-'));
});
afterEach(() => {
  jest.restoreAllMocks();
  rmSync(directory, { recursive: true });
});

/** An environment with these files. */
function files(config: string, shared = ''): Record<string, string> {
  writeFileSync(join(directory, 'config'), config);
  writeFileSync(join(directory, 'credentials'), shared);
  return {
    AWS_CONFIG_FILE: join(directory, 'config'),
    AWS_SHARED_CREDENTIALS_FILE: join(directory, 'credentials'),
  };
}

const resolved = (options: S3Options, env: Record<string, string>): ReturnType<typeof resolveOptions> =>
  resolveOptions(options, new AwsSettings(options.credentials, env));

describe('the endpoint', () => {
  const services = `services = of-mine\n[services of-mine]\ns3 =\n  endpoint_url = https://services.test\n`;

  test('comes from the options, the environment or the profile, in AWS’s order; the latter two can be ignored', () => {
    const flags = fc.record({
      option: fc.boolean(),
      service: fc.boolean(),
      all: fc.boolean(),
      section: fc.boolean(),
      profile: fc.boolean(),
      ignored: fc.constantFrom(undefined, 'environment', 'profile'),
      named: fc.constantFrom(undefined, 'environment', 'options'),
    });
    fc.assert(
      fc.property(flags, ({ option, service, all, section, profile, ignored, named }) => {
        const lines = [
          named === undefined ? '[default]' : '[profile mine]',
          ignored === 'profile' ? 'ignore_configured_endpoint_urls = true' : '',
          profile ? 'endpoint_url = https://profile.test' : '',
          section ? services : '',
          '[profile another]',
          'endpoint_url = https://another.test',
        ];
        const env = {
          ...files(lines.join('\n')),
          ...(service ? { AWS_ENDPOINT_URL_S3: 'https://service.test' } : {}),
          ...(all ? { AWS_ENDPOINT_URL: 'https://all.test' } : { AWS_ENDPOINT_URL: '' }),
          ...(ignored === 'environment' ? { AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: 'TRUE' } : {}),
          ...(named === 'environment' ? { AWS_PROFILE: 'mine' } : { AWS_PROFILE: '' }),
        };
        const options: S3Options = {
          ...(option ? { endpoint: 'https://option.test' } : {}),
          ...(named === 'options' ? { credentials: { provider: 'PROFILE', profile: 'mine' } } : {}),
        };
        const first = [
          option ? 'https://option.test' : undefined,
          ...(ignored === undefined
            ? [
                service ? 'https://service.test' : undefined,
                all ? 'https://all.test' : undefined,
                section ? 'https://services.test' : undefined,
                profile ? 'https://profile.test' : undefined,
              ]
            : []),
        ].find((each) => each !== undefined);
        const { endpoint, custom, forcePathStyle, checksum } = resolved(options, env);
        expect({ endpoint, custom, forcePathStyle, checksum }).toEqual({
          endpoint: first,
          custom: first !== undefined,
          forcePathStyle: first !== undefined,
          checksum: first === undefined ? 'crc32' : undefined,
        });
      }),
      { numRuns: 200 },
    );
  });

  test('of a source profile is not used: only its credentials are', () => {
    const env = files(
      '[profile role]\nrole_arn = arn:aws:iam::123456789012:role/x\nsource_profile = base\n[profile base]\nendpoint_url = https://base.test\n',
    );
    expect(resolved({}, { ...env, AWS_PROFILE: 'role' }).endpoint).toBeUndefined();
    expect(resolved({}, { ...env, AWS_PROFILE: 'base' }).endpoint).toBe('https://base.test');
  });

  test('may be one of AWS’s own', () => {
    const env = files('[default]\nendpoint_url = https://s3.eu-west-1.amazonaws.com\n');
    expect(resolved({}, env)).toMatchObject({ custom: false, forcePathStyle: false, checksum: 'crc32' });
  });

  test('that is not a URL is an error that names its origin, not its value: it may contain a password', () => {
    const of = (url: string): string => `[default]\nendpoint_url = ${url}\n`;
    const wrong: readonly (readonly [string, string, Record<string, string>?])[] = [
      [`endpoint_url of the profile 'default'`, of('https://me:hunter2@x.test')],
      [`endpoint_url of the profile 'default'`, of('hunter2')],
      ['AWS_ENDPOINT_URL', '', { AWS_ENDPOINT_URL: 'hunter2' }],
      ['AWS_ENDPOINT_URL_S3', '', { AWS_ENDPOINT_URL_S3: 'http://:hunter2@x.test' }],
    ];
    for (const [who, config, more] of wrong) {
      let message = '';
      try {
        resolved({}, { ...files(config), ...more });
      } catch (error) {
        expect(error).toMatchObject({ code: 'InvalidS3Options' });
        ({ message } = error as Error);
      }
      expect(message).toContain(`${who} must`);
      expect(message).not.toContain('hunter2');
    }
  });

  test('in a missing services section is an error that names it', () => {
    expect(() => resolved({}, files('[default]\nservices = local\n'))).toThrow(
      expect.objectContaining({
        code: 'InvalidS3Options',
        message: expect.stringMatching(
          /profile 'default' names the services section local.*config/,
        ) as string,
      }) as Error,
    );
  });
});

describe('the files of AWS', () => {
  const profile = (name: string, config: string, shared = ''): Record<string, string> | undefined => {
    const { profile: section } = new AwsSettings(undefined, { ...files(config, shared), AWS_PROFILE: name });
    return section && Object.fromEntries(section);
  };

  test('contain profiles under their names, quoted or not, with comments, blanks and nested settings', () => {
    const config = [
      '# of mine',
      '[default]',
      'region = eu-west-1 ; the first',
      's3 =',
      '  addressing_style = path',
      '\tmax_queue_size=10',
      'output=json#not-a-comment',
      '',
      '[ profile "two words" ]\r',
      'region=us-east-1\r',
      'empty =',
      '[unprefixed]',
      'region = nowhere',
      '[profile default]',
      'ca_bundle = /of/the/prefixed',
      'region = nowhere',
    ].join('\n');
    expect(profile('default', config)).toEqual({
      region: 'eu-west-1',
      's3.addressing_style': 'path',
      's3.max_queue_size': '10',
      output: 'json#not-a-comment',
      ca_bundle: '/of/the/prefixed',
    });
    expect(profile('two words', config)).toEqual({ region: 'us-east-1' });
    expect(profile('unprefixed', config)).toBeUndefined();
  });

  test('complete each other; the credentials file wins', () => {
    expect(
      profile('a', '[profile a]\nregion = eu-west-1\noutput = json\n', '[a]\nregion = us-east-1\n'),
    ).toEqual({ region: 'us-east-1', output: 'json' });
    expect(profile('b', '', '[b]\nregion = us-east-1\n')).toEqual({ region: 'us-east-1' });
  });

  test('are in the home directory unless configured, and may be missing', () => {
    const { read } = new AwsSettings(undefined, { HOME: directory, AWS_CONFIG_FILE: '~/mine' }).files;
    expect(read).toEqual([
      { path: join(directory, 'mine'), failure: 'ENOENT' },
      { path: join(directory, '.aws', 'credentials'), failure: 'ENOENT' },
    ]);
  });
});

describe('an endpoint with a path', () => {
  /** A server below a path, which checks what is signed. */
  async function below(path: string, work: (endpoint: string) => Promise<void>): Promise<string[]> {
    const verifier = new SigV4Verifier([credentials], undefined, () => Date.now());
    const urls: string[] = [];
    const server = createServer((request, response) => {
      const url = request.url ?? '';
      urls.push(`${request.method ?? ''} ${url.replace(/\?.*/, '')}`);
      request.resume().once('end', () => {
        try {
          verifier.verify(request, targetOf(url, undefined, 'localhost'), 's3');
          const copied = '<CopyObjectResult><ETag>"tag"</ETag></CopyObjectResult>';
          const body = request.headers['x-amz-copy-source'] === undefined ? '' : copied;
          response.writeHead(200, { etag: '"tag"', 'content-length': body.length }).end(body);
        } catch {
          response.writeHead(403).end();
        }
      });
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    try {
      await work(`http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`);
    } finally {
      server.close();
      server.closeAllConnections();
    }
    return urls;
  }

  test.each(['/storage/v1/s3', '/storage/v1/s3/', '/', '/a%20b/c'])(
    '%s is part of every request, and signed',
    async (path) => {
      const prefix = path.replace(/\/$/, '');
      const urls = await below(path, async (endpoint) => {
        using stores = openStores({
          s3: { endpoint, region: 'eu-west-1', credentials, retry: { maxRetries: 0 } },
        });
        const { store } = stores.open('s3://lake/');
        await answer(store.put('a/ü b', Buffer.from('x')));
        await answer(store.head('a/ü b'));
        await answer(store.copy('a/ü b', 'c'));
      });
      const key = `${prefix}/lake/a/%C3%BC%20b`;
      expect(urls).toEqual([`PUT ${key}`, `HEAD ${key}`, `PUT ${prefix}/lake/c`]);
    },
  );

  test('names the bucket in the host, if configured', async () => {
    const sent: { hostname: string; path: string }[] = [];
    jest.spyOn(HttpHandler.prototype, 'handle').mockImplementation((request) => {
      sent.push(request);
      return Promise.reject(new Error('nowhere'));
    });
    using s3 = new S3Connection({
      endpoint: 'https://s3.test/api',
      credentials,
      forcePathStyle: false,
      retry: { maxRetries: 0 },
    });
    await failure(s3.store('lake').head('a'));
    expect(sent).toMatchObject([{ hostname: 'lake.s3.test', path: '/api/a' }]);
  });

  test('may come from the environment', async () => {
    const before = { ...process.env };
    try {
      const urls = await below('/of/env', async (endpoint) => {
        process.env['AWS_ENDPOINT_URL_S3'] = endpoint;
        using s3 = new S3Connection({ credentials, region: 'eu-west-1', retry: { maxRetries: 0 } });
        await answer(s3.store('lake').head('a'));
      });
      expect(urls).toEqual(['HEAD /of/env/lake/a']);
    } finally {
      process.env = before;
    }
  });
});
