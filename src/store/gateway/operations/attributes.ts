/**
 * Reads the attributes of a new object from the request headers: encryption, storage class, checksum. See `Bucket`.
 */
import { noAttributes, type Attributes } from '../bucket.js';
import { headerOf, refuse, type Call } from '../call.js';
import { customerKeyOf } from './customerKey.js';
import { GatewayError, invalidArgument, notImplemented } from '../errors.js';

const sse = 'x-amz-server-side-encryption';
const kmsKey = `${sse}-aws-kms-key-id`;
const kmsContext = `${sse}-context`;

const none: Readonly<Record<string, string>> = {};

const checksum = /^x-amz-checksum-(crc32|crc32c|crc64nvme|sha1|sha256)$/;

/** The attributes of a new object. Throws `AccessDenied` if the gateway requires another encryption. */
export function attributesFrom(call: Call): Attributes {
  refuse(call, `${sse}-bucket-key`, 'x-amz-grant-', 'x-amz-object-lock', 'x-amz-write-offset');
  checkAcl(call);
  const type = headerOf(call, sse);
  const customer = customerKeyOf(call);
  if (type !== undefined && customer !== undefined)
    throw invalidArgument('Server Side Encryption with a customer provided key excludes any other.');
  demand(call, customer === undefined ? type : 'customer');
  const [checksumName] = Object.keys(call.headers).filter((name) => checksum.test(name));
  const trailing = [...call.trailers].find(([name]) => checksum.test(name));
  const encryption = customer ?? encryptionOf(call, type);
  const storageClass = headerOf(call, 'x-amz-storage-class');
  const sum =
    checksumName === undefined ? trailing : ([checksumName, headerOf(call, checksumName) ?? ''] as const);
  if (encryption === none && storageClass === undefined && sum === undefined) return noAttributes;
  return { encryption, opaque: type === 'aws:kms' || customer !== undefined, storageClass, checksum: sum };
}

/** Behaves like a bucket whose owner owns all objects, AWS's default. */
function checkAcl(call: Call): void {
  const acl = headerOf(call, 'x-amz-acl');
  if (acl === undefined || acl === 'bucket-owner-full-control') return;
  throw new GatewayError(400, 'AccessControlListNotSupported', 'The bucket does not allow ACLs');
}

function demand({ requireEncryption: required }: Call, type: string | undefined): void {
  if (required === undefined || type === required) return;
  throw new GatewayError(
    403,
    'AccessDenied',
    `Access Denied: this gateway accepts only objects with the encryption ${required}, and this one has ${type ?? 'not'}.`,
  );
}

function encryptionOf(call: Call, type: string | undefined): Readonly<Record<string, string>> {
  const [key, context] = [headerOf(call, kmsKey), headerOf(call, kmsContext)];
  if (type !== 'aws:kms') {
    if (key !== undefined || context !== undefined)
      throw invalidArgument(
        `Server Side Encryption with AWS KMS managed key requires HTTP header ${sse} : aws:kms`,
      );
    if (type === undefined) return none;
    if (type !== 'AES256') throw notImplemented(`the encryption ${type}`);
    return { [sse]: type };
  }
  checkContext(context);
  return {
    [sse]: type,
    [kmsKey]: key ?? 'arn:aws:kms:us-east-1:000000000000:alias/aws/s3',
    ...(context === undefined ? {} : { [kmsContext]: context }),
  };
}

function checkContext(context: string | undefined): void {
  if (context === undefined) return;
  let parsed: unknown;
  try {
    parsed = JSON.parse(Buffer.from(context, 'base64').toString());
  } catch {
    // Invalid: see below.
  }
  if (
    typeof parsed === 'object' &&
    parsed !== null &&
    Object.values(parsed).every((one) => typeof one === 'string')
  )
    return;
  throw invalidArgument(
    'The header x-amz-server-side-encryption-context is not JSON of names and strings in base64.',
  );
}

/** The response headers of an object's attributes. */
export function attributeHeaders({ encryption, storageClass }: Attributes): Record<string, string> {
  return { ...encryption, ...(storageClass === undefined ? {} : { 'x-amz-storage-class': storageClass }) };
}
