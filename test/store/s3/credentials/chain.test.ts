import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { jest } from '@jest/globals';
import { startGateway, type Gateway } from '../../../../src/store/gateway/index.js';
import { createMemoryStore } from '../../../../src/store/memory/index.js';
import { HttpHandler } from '../../../../src/store/s3/httpHandler.js';
import { S3Connection, type S3Options } from '../../../../src/store/s3/index.js';
import { answer, credentials } from '../../s3support.js';
import { emptyHome, listingWith } from '../emptyHome.js';

const session = { accessKeyId: 'SESSION', secretAccessKey: 'its-secret', sessionToken: 'its-token' };
const hidden = 'not-to-be-shown';

let gateway: Gateway;
const home = emptyHome();
const closing: (() => unknown)[] = [];

beforeEach(async () => {
  gateway = await startGateway({
    buckets: { lake: createMemoryStore() },
    credentials: [credentials, session],
  });
  mkdirSync(join(home(), '.aws', 'sso', 'cache'), { recursive: true });
});
afterEach(async () => {
  jest.restoreAllMocks();
  for (const close of closing.splice(0)) await close();
  await gateway.close();
});

const config = (text: string): void => writeFileSync(join(home(), '.aws', 'config'), text);
const set = (variables: Record<string, string>): void => void Object.assign(process.env, variables);

const listing = (options: S3Options = {}): Promise<unknown> =>
  listingWith({ endpoint: gateway.endpoint, region: 'ap-south-1', ...options });

const denied = (message: RegExp): object => ({
  code: 'PermissionDenied',
  retryable: false,
  serverCode: 'CredentialsProviderError',
  message: expect.stringMatching(message) as string,
});

interface Asked {
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly form: URLSearchParams;
}

/** A service of AWS with these answers. */
async function service(
  reply: (asked: Asked) => { readonly status?: number; readonly body: string },
): Promise<{ readonly endpoint: string; readonly asked: Asked[] }> {
  const asked: Asked[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      asked.push({ url: request.url ?? '', headers: request.headers, form: new URLSearchParams(body) });
      const { status = 200, body: text } = reply(asked.at(-1)!);
      response.writeHead(status, { 'content-type': text.startsWith('{') ? 'application/json' : 'text/xml' });
      response.end(text);
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(() => {
    server.close();
    server.closeAllConnections();
  });
  return { endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

const inAnHour = (): string => new Date(Date.now() + 3_600_000).toISOString();

const sts = () =>
  service(({ form }) => {
    const action = form.get('Action') ?? '';
    return {
      body: `<${action}Response><${action}Result><Credentials><AccessKeyId>${session.accessKeyId}</AccessKeyId><SecretAccessKey>${session.secretAccessKey}</SecretAccessKey><SessionToken>${session.sessionToken}</SessionToken><Expiration>${inAnHour()}</Expiration></Credentials></${action}Result></${action}Response>`,
    };
  });

const refusal = (status: number, code: string) =>
  service(() => ({
    status,
    body: `<ErrorResponse><Error><Code>${code}</Code><Message>No</Message></Error></ErrorResponse>`,
  }));

const keys = `aws_access_key_id = ${credentials.accessKeyId}\naws_secret_access_key = ${credentials.secretAccessKey}\n`;
const environmentKeys = {
  AWS_ACCESS_KEY_ID: credentials.accessKeyId,
  AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
};
const arn = 'arn:aws:iam::123456789012:role/lake';

describe('a profile that is configured by name', () => {
  const missing =
    /no profile 'nobody'.*\.aws\/config or .*\.aws\/credentials \(there is no such file\).*Correct/;

  test('and is missing is an error that names it and the files', async () => {
    config('[default]\n' + keys);
    set({ AWS_PROFILE: 'nobody', ...environmentKeys });
    expect(await listing()).toMatchObject(denied(missing));
    expect(await listing()).toMatchObject(denied(/\(from AWS_PROFILE\)/));
    expect(await listing({ credentials: 'PROFILE' })).toMatchObject(denied(missing));
    set({ AWS_PROFILE: '' });
    const named = { provider: 'PROFILE', profile: 'nobody' } as const;
    expect(await listing({ credentials: named })).toMatchObject(denied(/'nobody' \(from the options\)/));
    expect(await listing()).toBe('let in');
  });

  test('may be missing if it is the default one, unless there are no other credentials', async () => {
    set({ AWS_PROFILE: 'default', ...environmentKeys });
    expect(await listing()).toBe('let in');
    expect(await listing({ credentials: 'PROFILE' })).toMatchObject(denied(/no profile 'default'/));
  });

  test('comes before the environment if it has credentials, and leaves them to it if it has none', async () => {
    config(
      '[profile wrong]\naws_access_key_id = UNKNOWN\naws_secret_access_key = x\n[profile bare]\nregion = eu-west-1\n',
    );
    set({ AWS_PROFILE: 'wrong', ...environmentKeys });
    expect(await listing()).toMatchObject({ serverCode: 'InvalidAccessKeyId' });
    set({ AWS_PROFILE: 'bare' });
    expect(await listing()).toBe('let in');
  });

  test('is read each time: what a tool has written meanwhile counts', async () => {
    set({ AWS_PROFILE: 'later' });
    using s3 = new S3Connection({ endpoint: gateway.endpoint, retry: { maxRetries: 0 } });
    await expect(answer(s3.store('lake').list({}))).rejects.toMatchObject(denied(/'later'/));
    config('[profile later]\n' + keys);
    await answer(s3.store('lake').list({}));
  });
});

describe('a role of a profile', () => {
  const role = `[profile lake]\nrole_arn = ${arn}\nexternal_id = partner:7\nsource_profile = base\nregion = eu-central-1\n`;

  test('is assumed with the keys of its source, in its region, at the configured STS', async () => {
    const { endpoint, asked } = await sts();
    config(
      `${role}services = mine\n[profile base]\n${keys}[services mine]\nsts =\n  endpoint_url = ${endpoint}\n`,
    );
    set({ AWS_PROFILE: 'lake' });
    expect(await listing({ region: undefined } as unknown as S3Options)).toBe('let in');
    expect(Object.fromEntries(asked[0]!.form)).toMatchObject({
      Action: 'AssumeRole',
      RoleArn: arn,
      ExternalId: 'partner:7',
    });
    expect(asked[0]!.headers.authorization).toMatch(
      new RegExp(`Credential=${credentials.accessKeyId}/\\d+/eu-central-1/sts/`),
    );
  });

  test('whose source is missing is an error that names both', async () => {
    config(role);
    set({ AWS_PROFILE: 'lake' });
    expect(await listing()).toMatchObject(
      denied(/no profile 'base', the source_profile of 'lake' \(from AWS_PROFILE\), in .*config/),
    );
  });

  test('that is denied or unreachable is reported like any role', async () => {
    config(`${role}[profile base]\n${keys}`);
    set({ AWS_PROFILE: 'lake', AWS_ENDPOINT_URL_STS: (await refusal(403, 'AccessDenied')).endpoint });
    expect(await listing()).toMatchObject({
      code: 'PermissionDenied',
      message: expect.stringMatching(/AssumeRole arn.*403 AccessDenied.*trust policy/) as string,
    });
    set({ AWS_ENDPOINT_URL_STS: 'http://127.0.0.1:1' });
    expect(await listing()).toMatchObject({ code: 'Unavailable', retryable: true });
  });

  test('that requires a code cannot be assumed by a program', async () => {
    config(`${role}mfa_serial = arn:aws:iam::1:mfa/me\n[profile base]\n${keys}`);
    set({ AWS_PROFILE: 'lake' });
    expect(await listing()).toMatchObject(denied(/profile 'lake' asks for a code \(mfa_serial\)/));
  });

  test('names the place that its credentials should have come from', async () => {
    config(`[profile lake]\nrole_arn = ${arn}\ncredential_source = Environment\n`);
    set({ AWS_PROFILE: 'lake' });
    expect(await listing()).toMatchObject(denied(/credential_source Environment of the profile 'lake'/));
  });
});

test('a profile with half of a key is an error that says which half', async () => {
  config('[default]\naws_access_key_id = AKIA\nregion = eu-west-1\n');
  expect(await listing()).toMatchObject(
    denied(/no credentials in the profile 'default'.*It has aws_access_key_id:/),
  );
});

describe('SSO', () => {
  const start = 'https://mine.awsapps.test/start';
  const account = 'sso_account_id = 111122223333\nsso_role_name = Reader\n';
  const shared = `[profile dev]\nsso_session = mine\n${account}[sso-session mine]\nsso_region = eu-west-1\nsso_start_url = ${start}\n`;
  const legacy = `[profile dev]\nsso_start_url = ${start}\nsso_region = eu-west-1\n${account}`;

  const token = (id: string, expiresAt: string): void =>
    writeFileSync(
      join(home(), '.aws', 'sso', 'cache', `${createHash('sha1').update(id).digest('hex')}.json`),
      JSON.stringify({ startUrl: start, region: 'eu-west-1', accessToken: hidden, expiresAt }),
    );

  const portal = async (status: number, body: object): Promise<Asked[]> => {
    const { endpoint, asked } = await service(() => ({ status, body: JSON.stringify(body) }));
    set({ AWS_ENDPOINT_URL_SSO: endpoint });
    return asked;
  };

  beforeEach(() => set({ AWS_PROFILE: 'dev' }));

  describe.each([
    ['with a session of its own section', shared, 'mine'],
    ['by its start URL', legacy, start],
  ])('%s', (_, profile, id) => {
    beforeEach(() => config(profile));

    test('returns credentials for a token', async () => {
      token(id, inAnHour());
      const asked = await portal(200, {
        roleCredentials: { ...session, expiration: Date.now() + 3_600_000 },
      });
      expect(await listing()).toBe('let in');
      expect(asked[0]!.url).toMatch(/role_name=Reader/);
    });

    const login = denied(
      /SSO session of the profile 'dev' \(from AWS_PROFILE\).*`aws sso login --profile dev`/,
    );

    test('without a token, or with one that is expired or refused, asks for a login', async () => {
      expect(await listing()).toMatchObject(login);
      token(id, '2020-01-01T00:00:00Z');
      expect(await listing()).toMatchObject(login);
      token(id, inAnHour());
      await portal(401, { __type: 'UnauthorizedException', message: 'Session token not found or invalid' });
      const error = await listing();
      expect(error).toMatchObject(login);
      expect(String(error)).not.toContain(hidden);
    });

    test('without access to the role names the role', async () => {
      token(id, inAnHour());
      await portal(403, { __type: 'ForbiddenException', message: 'No access' });
      expect(await listing()).toMatchObject(denied(/role Reader in the account 111122223333/));
    });

    test('is retryable if unreachable, and called in its own region', async () => {
      token(id, inAnHour());
      const hosts: string[] = [];
      const handle = Reflect.get(HttpHandler.prototype, 'handle');
      jest.spyOn(HttpHandler.prototype, 'handle').mockImplementation(function (
        this: HttpHandler,
        request,
        more,
      ) {
        if (request.hostname === '127.0.0.1') return handle.call(this, request, more);
        hosts.push(request.hostname);
        const error = new Error(`getaddrinfo ENOTFOUND ${request.hostname}`);
        return Promise.reject(Object.assign(error, { code: 'ENOTFOUND' }));
      });
      expect(await listing()).toMatchObject({
        code: 'Unavailable',
        retryable: true,
        message: expect.stringMatching(/profile 'dev'.*ENOTFOUND.*network and the proxy/) as string,
      });
      expect(new Set(hosts)).toEqual(new Set(['portal.sso.eu-west-1.amazonaws.com']));
    });
  });

  test('of a profile that others use as their source is reported for that profile', async () => {
    config(`${shared}[profile lake]\nrole_arn = ${arn}\nsource_profile = dev\n`);
    set({ AWS_PROFILE: 'lake' });
    expect(await listing()).toMatchObject(denied(/`aws sso login --profile dev`/));
  });

  test('of the default profile needs no option', async () => {
    config(shared.replace('profile dev', 'default'));
    set({ AWS_PROFILE: '' });
    expect(await listing()).toMatchObject(denied(/`aws sso login`/));
  });

  test('without its section, or half of it, says what is missing', async () => {
    config(`[profile dev]\nsso_session = mine\n${account}`);
    expect(await listing()).toMatchObject(denied(/sso_session mine of the profile 'dev'.*not in .*config/));
    config(`[profile dev]\nsso_session = mine\n${account}[sso-session mine]\nsso_region = eu-west-1\n`);
    expect(await listing()).toMatchObject(denied(/sso_start_url is missing/));
    config('[profile dev]\nsso_start_url = x\n');
    expect(await listing()).toMatchObject(denied(/sso_region, sso_account_id, sso_role_name are missing/));
  });
});

describe('a process', () => {
  const run = (script: string): Promise<unknown> => {
    writeFileSync(join(home(), 'process.cjs'), script);
    config(
      `[default]\ncredential_process = "${process.execPath}" "${join(home(), 'process.cjs')}" ${hidden}\n`,
    );
    return listing();
  };
  const print = (value: unknown): string => `console.log(${JSON.stringify(JSON.stringify(value))})`;
  const given = {
    Version: 1,
    AccessKeyId: session.accessKeyId,
    SecretAccessKey: session.secretAccessKey,
    SessionToken: session.sessionToken,
  };

  test('returns credentials', async () => {
    expect(await run(print(given))).toBe('let in');
  });

  test.each([
    [
      'fails',
      `console.error('${hidden}'); process.exit(3)`,
      /credential_process .* failed\. Run its command/,
    ],
    ['prints no JSON', `console.log('${hidden}')`, /returned invalid JSON\. Run/],
    [
      'prints another version',
      print({ ...given, Version: 2, SessionToken: hidden }),
      /did not return Version 1/,
    ],
    ['prints too little', print({ Version: 1, SecretAccessKey: hidden }), /returned invalid credentials/],
    ['prints what has ended', print({ ...given, Expiration: '2020-01-01T00:00:00Z' }), /returned expired/],
  ])('that %s is named, without its command and its output', async (_, script, message) => {
    const error = await run(script);
    expect(error).toMatchObject(denied(message));
    expect(String(error)).toMatch(/profile 'default'/);
    expect(String(error)).not.toContain(hidden);
  });
});

describe('a web identity', () => {
  const file = (): string => join(home(), 'token');

  test('is exchanged for a session, from the environment or a profile', async () => {
    const { endpoint, asked } = await sts();
    writeFileSync(file(), hidden);
    set({ AWS_ENDPOINT_URL_STS: endpoint, AWS_WEB_IDENTITY_TOKEN_FILE: file(), AWS_ROLE_ARN: arn });
    expect(await listing()).toBe('let in');
    config(`[default]\nrole_arn = ${arn}\nweb_identity_token_file = ${file()}\n`);
    expect(await listing({ credentials: 'PROFILE' })).toBe('let in');
    for (const { form, headers } of asked) {
      expect(Object.fromEntries(form)).toMatchObject({
        Action: 'AssumeRoleWithWebIdentity',
        RoleArn: arn,
        WebIdentityToken: hidden,
      });
      expect(headers.authorization).toBeUndefined();
    }
    expect(asked).toHaveLength(2);
  });

  test('whose file is missing is an error that names the file and the setting', async () => {
    set({ AWS_WEB_IDENTITY_TOKEN_FILE: file(), AWS_ROLE_ARN: arn });
    expect(await listing()).toMatchObject(
      denied(/\/token \(AWS_WEB_IDENTITY_TOKEN_FILE\), cannot be read: ENOENT/),
    );
    config(`[default]\nrole_arn = ${arn}\nweb_identity_token_file = ${file()}\n`);
    expect(await listing()).toMatchObject(denied(/web_identity_token_file of the profile 'default'.*ENOENT/));
    set({ AWS_ROLE_ARN: '' });
    config('');
    expect(await listing()).toMatchObject(denied(/AWS_ROLE_ARN is not/));
  });

  test.each([
    ['InvalidIdentityToken', 400, 'PermissionDenied', /audience and issuer/],
    ['AccessDenied', 403, 'PermissionDenied', /AssumeRoleWithWebIdentity in the role's trust policy/],
    ['ExpiredTokenException', 400, 'Expired', /token of the web identity has expired/],
    ['IDPCommunicationError', 400, 'Unavailable', /Retry/],
  ])('that STS refuses by %s is an error that says what to check', async (name, status, code, message) => {
    writeFileSync(file(), hidden);
    const { endpoint } = await refusal(status, name);
    set({ AWS_ENDPOINT_URL_STS: endpoint, AWS_WEB_IDENTITY_TOKEN_FILE: file(), AWS_ROLE_ARN: arn });
    const error = await listing();
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) as string });
    expect(String(error)).not.toContain(hidden);
  });
});

describe('a container', () => {
  const found = {
    AccessKeyId: session.accessKeyId,
    SecretAccessKey: session.secretAccessKey,
    Token: session.sessionToken,
    Expiration: inAnHour(),
  };

  test('returns credentials', async () => {
    const { endpoint } = await service(() => ({ body: JSON.stringify(found) }));
    set({ AWS_CONTAINER_CREDENTIALS_FULL_URI: `${endpoint}/role` });
    expect(await listing()).toBe('let in');
  });

  test('that refuses is a permanent error; one that does not answer is retryable', async () => {
    const { endpoint } = await service(() => ({ status: 404, body: '{}' }));
    set({ AWS_CONTAINER_CREDENTIALS_FULL_URI: endpoint });
    expect(await listing()).toMatchObject(
      denied(/AWS_CONTAINER_CREDENTIALS_FULL_URI.*404.*role of the task/),
    );
    set({ AWS_CONTAINER_CREDENTIALS_FULL_URI: 'http://127.0.0.1:1/' });
    expect(await listing()).toMatchObject({ code: 'Unavailable', retryable: true });
  });
});

describe('an instance', () => {
  const metadata = async (answers: Record<string, string>): Promise<void> => {
    const { endpoint } = await service(({ url }) => {
      const body = url === '/latest/api/token' ? 'a-token' : answers[url];
      return body === undefined ? { status: 404, body: '' } : { body };
    });
    set({ AWS_EC2_METADATA_DISABLED: 'false', AWS_EC2_METADATA_SERVICE_ENDPOINT: endpoint });
  };
  const path = '/latest/meta-data/iam/security-credentials/';

  test('with a role returns credentials', async () => {
    const role = {
      AccessKeyId: session.accessKeyId,
      SecretAccessKey: session.secretAccessKey,
      Token: session.sessionToken,
      Expiration: inAnHour(),
    };
    await metadata({ [path]: 'lake', [`${path}lake`]: JSON.stringify(role) });
    expect(await listing()).toBe('let in');
  });

  test('without a role, or no instance at all, is the last place that is tried', async () => {
    await metadata({});
    expect(await listing()).toMatchObject(
      denied(/No credentials were found.*answers 404: it may have no role/),
    );
    set({ AWS_EC2_METADATA_SERVICE_ENDPOINT: 'http://127.0.0.1:1' });
    expect(await listing()).toMatchObject(denied(/which does not answer: give `credentials`/));
    set({ AWS_EC2_METADATA_DISABLED: 'true' });
    expect(await listing()).toMatchObject(
      denied(
        /AWS_ACCESS_KEY_ID.*profile 'default' in .*config .*no such file.*AWS_EC2_METADATA_DISABLED turns off/,
      ),
    );
  });
});
