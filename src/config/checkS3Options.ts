import { checkOptions, type OptionNames } from './checkOptions.js';
import type {
  AssumeRoleOptions,
  BucketOptions,
  EncryptionOptions,
  S3Options,
  S3RetryOptions,
} from './s3Options.js';

const bucketNames: OptionNames<BucketOptions> = {
  region: true,
  endpoint: true,
  forcePathStyle: true,
  credentials: true,
  assumeRole: true,
  sse: true,
  acl: true,
  requesterPays: true,
  proxy: true,
  caBundle: true,
};

const names: OptionNames<S3Options> = {
  ...bucketNames,
  buckets: true,
  endpointProtocol: true,
  noProxy: true,
  agent: true,
  dualStack: true,
  accelerate: true,
  storageClass: true,
  maxSockets: true,
  reservedSockets: true,
  connectionTimeout: true,
  requestTimeout: true,
  idleTimeout: true,
  lowTimeout: true,
  highTimeout: true,
  bodyResumes: true,
  retry: true,
  checksum: true,
  checksumValidation: true,
  chunkedEncoding: true,
  payloadSigning: true,
};

const retryNames: OptionNames<S3RetryOptions> = {
  maxRetries: true,
  base: true,
  throttledBase: true,
  cap: true,
};

const roleNames: OptionNames<AssumeRoleOptions> = {
  arn: true,
  externalId: true,
  sessionName: true,
  sessionDuration: true,
  endpoint: true,
};

const encryptionNames: OptionNames<EncryptionOptions> = {
  type: true,
  kms: true,
  customerKey: true,
  customerKeyFile: true,
  customerKeyOverHttp: true,
};

const kmsNames: OptionNames<NonNullable<EncryptionOptions['kms']>> = {
  keyId: true,
  encryptionContext: true,
};

/**
 * Refuses unknown options, including those of buckets, roles, encryption and retries. Credentials may have additional fields,
 * which SDKs add. Throws `InvalidOption`.
 */
export function checkS3Options(of: string, options: S3Options | undefined, path = ''): void {
  if (options === undefined) return;
  checkOptions(of, options, names, path);
  checkOptions(of, options.retry, retryNames, `${path}retry.`);
  checkParts(of, options, path);
  for (const [bucket, own] of Object.entries(options.buckets ?? {})) {
    const at = `${path}buckets.${bucket}.`;
    checkOptions(of, own, bucketNames, at);
    checkParts(of, own, at);
  }
}

function checkParts(of: string, { assumeRole, sse }: BucketOptions, path: string): void {
  checkOptions(of, assumeRole, roleNames, `${path}assumeRole.`);
  checkOptions(of, sse, encryptionNames, `${path}sse.`);
  checkOptions(of, sse?.kms, kmsNames, `${path}sse.kms.`);
}
