import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { S3Connection, type S3Options } from '../../../src/store/s3/index.js';
import { authority, key, localhost, selfSigned } from '../certificates.js';
import { answer, credentials } from '../s3support.js';

const closing: (() => unknown)[] = [];
let directory: string;
let endpoint: string;
const inherited = { ...process.env };

beforeEach(async () => {
  for (const name of Object.keys(process.env))
    if (name.startsWith('AWS_')) Reflect.deleteProperty(process.env, name);
  directory = mkdtempSync(join(tmpdir(), 'millrace-trust-'));
  process.env['HOME'] = directory;
  const server = createServer({ key, cert: localhost }, (request, response) => {
    request.resume();
    response.writeHead(200, { etag: '"tag"', 'content-length': '0' }).end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(() => {
    server.close();
    server.closeAllConnections();
  });
  endpoint = `https://localhost:${(server.address() as AddressInfo).port}`;
});
afterEach(() => {
  process.env = { ...inherited };
  for (const close of closing.splice(0)) close();
  rmSync(directory, { recursive: true });
});

function file(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

async function asked(options: S3Options = {}): Promise<unknown> {
  using s3 = new S3Connection({ endpoint, credentials, proxy: 'none', retry: { maxRetries: 0 }, ...options });
  return await answer(s3.store('lake').head('a')).then(
    () => 'trusted',
    (error: unknown) => error,
  );
}

describe('a server with a certificate of another authority', () => {
  test('is not trusted', async () => {
    expect(await asked()).toMatchObject({ message: expect.stringMatching(/certificate/) as string });
  });

  test('is trusted by a bundle of the options, of the environment, or of the profile, in that order', async () => {
    const bundle = file('bundle.pem', `# of the company\n${selfSigned}${authority}`);
    const wrong = file('wrong.pem', selfSigned);
    expect(await asked({ caBundle: bundle })).toBe('trusted');
    process.env['AWS_CA_BUNDLE'] = bundle;
    expect(await asked()).toBe('trusted');
    expect(await asked({ caBundle: wrong })).toMatchObject({
      message: expect.stringMatching(/certificate/) as string,
    });
    process.env['AWS_CA_BUNDLE'] = '';
    process.env['AWS_CONFIG_FILE'] = file('config', `[profile mine]\nca_bundle = ${bundle}\n`);
    process.env['AWS_PROFILE'] = 'mine';
    expect(await asked()).toBe('trusted');
    process.env['AWS_CA_BUNDLE'] = wrong;
    expect(await asked()).not.toBe('trusted');
  });
});

test.each([
  ['is not there', '/nonexistent.pem', /\/nonexistent.pem \(AWS_CA_BUNDLE\) cannot be read: ENOENT/],
  ['holds none', 'nothing', /holds no certificate in PEM form/],
  [
    'holds a broken one',
    '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
    /holds a certificate that cannot be read/,
  ],
])('a bundle that %s is an error that names it, where it is needed', async (_, text, message) => {
  process.env['AWS_CA_BUNDLE'] = text.startsWith('/') ? text : file('bundle.pem', text);
  expect(await asked()).toMatchObject({
    code: 'InvalidS3Options',
    retryable: false,
    message: expect.stringMatching(message) as string,
  });
  expect(await asked({ endpoint: endpoint.replace('https', 'http') })).toMatchObject({
    message: expect.stringMatching(/This port speaks TLS/) as string,
  });
});

test('authorities that Node trusts are trusted, too, also those of NODE_EXTRA_CA_CERTS', async () => {
  const program = `
    import { S3Connection } from ${JSON.stringify(join(import.meta.dirname, '../../../dist/entries/stores.js'))};
    const s3 = new S3Connection(JSON.parse(process.argv[1]));
    s3.store('lake').head('a').subscribe({
      next: () => console.log('trusted'),
      error: (error) => console.log(error.message),
      complete: () => s3.close(),
    });`;
  const options = { endpoint, credentials, proxy: 'none', retry: { maxRetries: 0 } };
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--input-type=module', '-e', program, JSON.stringify(options)],
    {
      env: {
        ...process.env,
        NODE_EXTRA_CA_CERTS: file('extra.pem', authority),
        AWS_CA_BUNDLE: file('bundle.pem', selfSigned),
      },
    },
  );
  expect(stdout.trim()).toBe('trusted');
});
