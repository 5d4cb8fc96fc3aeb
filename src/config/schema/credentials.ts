import { choice, code, flag, seconds, secret, text, uri, type Kind } from './kinds.js';
import type { Row } from './row.js';

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null;

const providers: readonly unknown[] = ['AUTO', 'ENV_VAR', 'PROFILE', 'ASSUME_ROLE', 'ANONYMOUS'];

/** Credentials of S3 servers. */
export const credentials: readonly Row[] = [
  {
    key: 's3.access-key',
    kind: secret,
    fallback: 'the AWS chain',
    option: 's3.credentials.accessKeyId',
    doc: 'Access key id. Goes with `s3.secret-key`.',
    perBucket: true,
  },
  {
    key: 's3.secret-key',
    kind: secret,
    fallback: 'the AWS chain',
    option: 's3.credentials.secretAccessKey',
    doc: 'Secret access key. Goes with `s3.access-key`.',
    perBucket: true,
  },
  {
    key: 's3.session-token',
    kind: secret,
    fallback: 'none',
    option: 's3.credentials.sessionToken',
    doc: 'Session token of temporary keys.',
    perBucket: true,
  },
  {
    key: 's3.credentials',
    kind: code(
      '{ accessKeyId, secretAccessKey }, AUTO, ENV_VAR, PROFILE, ASSUME_ROLE, ANONYMOUS, or a function that promises keys',
      (value) =>
        typeof value === 'function' ||
        (isObject(value) &&
          (providers.includes(value['provider']) ||
            (typeof value['accessKeyId'] === 'string' && typeof value['secretAccessKey'] === 'string'))),
    ),
    fallback: 'the AWS chain',
    option: 's3.credentials',
    doc: 'A function that provides keys, or keys with their expiry.',
    where: 'code',
    perBucket: true,
  },
  {
    key: 's3.assume-role.arn',
    kind: text('the ARN of a role', /^arn:\S+$/),
    fallback: 'none',
    option: 's3.assumeRole.arn',
    doc: 'Role to assume, with the credentials above.',
    perBucket: true,
  },
  {
    key: 's3.assume-role.external-id',
    kind: secret,
    fallback: 'none',
    option: 's3.assumeRole.externalId',
    doc: "What the role's trust policy asks for.",
    perBucket: true,
  },
  {
    key: 's3.assume-role.session-name',
    kind: text('2 to 64 letters, digits and any of =,.@_-', /^[\w=,.@-]{2,64}$/),
    fallback: '`millrace-session`',
    option: 's3.assumeRole.sessionName',
    doc: "Names the session in the server's logs.",
    perBucket: true,
  },
  {
    key: 's3.assume-role.session-duration',
    kind: seconds({ least: 900, most: 43_200, rule: "900 to 43,200 seconds, such as 3600 or '1h'" }),
    fallback: '1h',
    option: 's3.assumeRole.sessionDuration',
    doc: 'How long a session lasts before it is renewed. A number is seconds.',
    perBucket: true,
  },
  {
    key: 's3.assume-role.endpoint',
    kind: uri(
      'a URL such as https://sts.example.com, without user or password',
      /^https?:\/\/[^/?#@\s]+(\/[^?#\s]*)?$/i,
    ),
    fallback: "the region's STS on AWS, else the S3 endpoint",
    option: 's3.assumeRole.endpoint',
    doc: 'STS to ask for sessions.',
    perBucket: true,
  },
];

const customerKey: Kind = {
  ...secret,
  rule: 'the base64 of 32 bytes',
  read: (value) => {
    const key = typeof value === 'string' ? Buffer.from(value, 'base64') : value;
    return key instanceof Uint8Array && key.length === 32 ? { value } : undefined;
  },
};

export const encryption: readonly Row[] = [
  {
    key: 's3.sse.type',
    kind: choice({
      none: 'none',
      'sse-s3': 'sse-s3',
      aes256: 'sse-s3',
      'sse-kms': 'sse-kms',
      'aws:kms': 'sse-kms',
      'sse-c': 'sse-c',
    }),
    fallback: "none: what the bucket does; `sse-c` with a customer's key",
    option: 's3.sse.type',
    doc: 'Encryption by the server of everything that is written.',
    perBucket: true,
  },
  {
    key: 's3.sse.kms.key-id',
    kind: text('a key id, its ARN or alias/…', /^\S+$/),
    fallback: "the account's key for S3",
    option: 's3.sse.kms.keyId',
    doc: 'KMS key. Needs `s3.sse.type: sse-kms`.',
    perBucket: true,
  },
  {
    key: 's3.sse.kms.encryption-context.<name>',
    kind: text(),
    fallback: 'none',
    option: 's3.sse.kms.encryptionContext.<name>',
    doc: 'A pair that is bound to the data and that key policies may ask for.',
    where: 'file',
    perBucket: true,
  },
  {
    key: 's3.sse.customer-key',
    kind: customerKey,
    fallback: 'none',
    option: 's3.sse.customerKey',
    doc: "Customer's key (SSE-C) that objects are written and read with.",
    perBucket: true,
  },
  {
    key: 's3.sse.customer-key-file',
    kind: text("a file's path"),
    fallback: 'none',
    option: 's3.sse.customerKeyFile',
    doc: 'File with that key: its 32 bytes, or their base64.',
    perBucket: true,
  },
  {
    key: 's3.sse.customer-key-over-http',
    kind: flag,
    fallback: 'false: only over https, or to this machine',
    option: 's3.sse.customerKeyOverHttp',
    doc: 'The key may be sent to a server without https.',
    perBucket: true,
  },
];

/** Keys with the names of other AWS tools. */
export const aws: readonly Row[] = [
  {
    key: 'aws.region',
    kind: text("a region's name, such as eu-central-1", /^[a-z0-9-]+$/i),
    fallback: 'as `s3.region`',
    option: 's3.region',
    doc: 'Means the same as `s3.region`. `AWS_REGION` is read by the AWS SDK, where neither is set.',
    where: 'file',
  },
  {
    key: 'aws.accessKeyId',
    aliases: ['aws.accessKey'],
    kind: secret,
    fallback: 'as `s3.access-key`',
    option: 's3.credentials.accessKeyId',
    doc: 'Means the same as `s3.access-key`. Goes with `aws.secretAccessKey`.',
  },
  {
    key: 'aws.secretAccessKey',
    kind: secret,
    fallback: 'as `s3.secret-key`',
    option: 's3.credentials.secretAccessKey',
    doc: 'Means the same as `s3.secret-key`. Goes with `aws.accessKeyId`.',
  },
  {
    key: 'aws.credentials.provider',
    kind: choice(
      {
        AUTO: 'AUTO',
        BASIC: 'BASIC',
        ENV_VAR: 'ENV_VAR',
        PROFILE: 'PROFILE',
        ASSUME_ROLE: 'ASSUME_ROLE',
        ANONYMOUS: 'ANONYMOUS',
      },
      'AUTO, BASIC, ENV_VAR, PROFILE, ASSUME_ROLE or ANONYMOUS; a function of your own goes into code as s3.credentials',
    ),
    fallback: 'AUTO',
    option: 's3.credentials',
    doc: 'Where keys come from: the AWS chain, `…provider.basic.*`, `AWS_ACCESS_KEY_ID`, a profile, a role with the chain, or none.',
  },
  {
    key: 'aws.credentials.provider.basic.accesskeyid',
    kind: secret,
    fallback: 'none',
    option: 's3.credentials.accessKeyId',
    doc: 'Access key id of the provider BASIC.',
  },
  {
    key: 'aws.credentials.provider.basic.secretkey',
    kind: secret,
    fallback: 'none',
    option: 's3.credentials.secretAccessKey',
    doc: 'Secret access key of the provider BASIC.',
  },
  {
    key: 'aws.credentials.provider.profile.name',
    kind: text("a profile's name"),
    fallback: '`AWS_PROFILE`, else `default`',
    option: 's3.credentials.profile',
    doc: 'Profile of the provider PROFILE.',
  },
  {
    key: 'aws.credentials.provider.role.arn',
    kind: text('the ARN of a role', /^arn:\S+$/),
    fallback: 'as `s3.assume-role.arn`',
    option: 's3.assumeRole.arn',
    doc: 'Means the same as `s3.assume-role.arn`.',
  },
  {
    key: 'aws.credentials.provider.role.externalId',
    kind: secret,
    fallback: 'as `s3.assume-role.external-id`',
    option: 's3.assumeRole.externalId',
    doc: 'Means the same as `s3.assume-role.external-id`.',
  },
  {
    key: 'aws.credentials.provider.role.sessionName',
    kind: text('2 to 64 letters, digits and any of =,.@_-', /^[\w=,.@-]{2,64}$/),
    fallback: 'as `s3.assume-role.session-name`',
    option: 's3.assumeRole.sessionName',
    doc: 'Means the same as `s3.assume-role.session-name`.',
  },
];

export const delegation: readonly Row[] = [
  {
    key: 'security.delegation.token.provider.s3-native.enabled',
    kind: flag,
    fallback: 'false',
    option: 'delegationTokens.enabled',
    doc: 'Workers get session tokens instead of keys.',
  },
  {
    key: 'security.delegation.token.provider.s3-native.access-key',
    kind: secret,
    fallback: 'as `s3.access-key`',
    option: 'delegationTokens.credentials.accessKeyId',
    doc: 'Access key id that tokens are obtained with. Temporary ones cannot.',
  },
  {
    key: 'security.delegation.token.provider.s3-native.secret-key',
    kind: secret,
    fallback: 'as `s3.secret-key`',
    option: 'delegationTokens.credentials.secretAccessKey',
    doc: 'Secret access key that tokens are obtained with.',
  },
  {
    key: 'security.delegation.token.provider.s3-native.region',
    kind: text("a region's name, such as eu-central-1", /^[a-z0-9-]+$/i),
    fallback: 'as `s3.region`',
    option: 'delegationTokens.region',
    doc: 'Region of the STS that issues tokens.',
  },
];
