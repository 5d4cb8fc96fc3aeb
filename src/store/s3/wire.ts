import type { S3Options } from '../../config/s3Options.js';
import { MillraceError } from '../../errors.js';
import type { ChecksumKind } from '../checksums.js';
import { hasTags } from '../description.js';
import type { ObjectDescription } from '../objectStore.js';
import { customerKeyOf, encryptionOf, type Encryption } from './encryption.js';

/** The form of requests: servers differ in what they support. */
export interface WireOptions {
  /** Sent with every body. */
  readonly checksum: ChecksumKind | undefined;
  /** Sent with every body instead of `checksum`. */
  readonly contentMd5: boolean;
  readonly checksumValidation: boolean;
  readonly chunkedEncoding: boolean;
  readonly storageClass: string | undefined;
  readonly accelerate: boolean;
  readonly dualStack: boolean;
  readonly encryption: Encryption;
  /** In base64. */
  readonly customerKey: string | undefined;
  readonly acl: S3Options['acl'];
  readonly requesterPays: boolean;
}

const checksums: readonly string[] = ['crc32', 'crc32c', 'crc64nvme', 'md5', 'when-required'];

/** Throws `InvalidS3Options`. */
export function resolveWire(options: S3Options, custom: boolean, endpoint: URL | undefined): WireOptions {
  const { checksum = custom ? 'when-required' : 'crc32', storageClass } = options;
  if (!checksums.includes(checksum))
    throw invalid(`checksum must be one of ${checksums.join(', ')}, not ${checksum}`);
  if (checksum === 'md5' && options.chunkedEncoding === true)
    throw invalid('checksum md5 and chunkedEncoding exclude each other: chunks are followed by a CRC');
  if (storageClass !== undefined && !/^[\x21-\x7e]+$/.test(storageClass))
    throw invalid('storageClass must be a name such as STANDARD_IA, without blanks');
  const { accelerate = false, dualStack = false } = options;
  for (const [name, value] of Object.entries({ accelerate, dualStack })) {
    if (value && endpoint !== undefined)
      throw invalid(`${name} chooses among AWS’s hosts, and an endpoint names one: leave one of the two out`);
  }
  if (accelerate && options.forcePathStyle === true)
    throw invalid(
      'accelerate and forcePathStyle exclude each other: accelerated hosts hold the bucket’s name',
    );
  return {
    checksum: checksum === 'when-required' || checksum === 'md5' ? undefined : checksum,
    contentMd5: checksum === 'md5',
    checksumValidation: options.checksumValidation ?? !custom,
    chunkedEncoding: options.chunkedEncoding ?? false,
    storageClass,
    accelerate,
    dualStack,
    encryption: encryptionOf(options.sse),
    customerKey: customerKeyOf(options.sse, endpoint),
    acl: aclOf(options.acl),
    requesterPays: options.requesterPays ?? false,
  };
}

const acls: readonly string[] = [
  'private',
  'public-read',
  'public-read-write',
  'authenticated-read',
  'aws-exec-read',
  'bucket-owner-read',
  'bucket-owner-full-control',
];

function aclOf(acl: S3Options['acl']): S3Options['acl'] {
  if (acl !== undefined && !acls.includes(acl))
    throw invalid(`acl must be one of ${acls.join(', ')}, not ${acl}`);
  return acl;
}

/** Describes the features that writes use and some servers lack. */
export function wantedBy(
  options: WireOptions & { readonly custom: boolean },
  { tags, storageClass = options.storageClass }: ObjectDescription = {},
): string | undefined {
  const { encryption, customerKey, acl, checksum, custom } = options;
  const { ServerSideEncryption: sse } = encryption;
  const wanted = [
    ...(sse === undefined ? [] : [`the encryption ${sse === 'AES256' ? 'sse-s3' : 'sse-kms'}`]),
    ...(customerKey === undefined ? [] : ["the encryption sse-c, by a customer's key"]),
    ...(acl === undefined ? [] : [`the ACL ${acl}`]),
    ...(storageClass === undefined ? [] : [`the storage class ${storageClass}`]),
    ...(hasTags(tags) ? ['tags'] : []),
    ...(checksum === undefined || !custom ? [] : [`the checksum ${checksum}`]),
  ];
  return wanted.length === 0 ? undefined : wanted.join(', ');
}

/**
 * Whether an endpoint is AWS's, in any partition: regional, FIPS, dual stack, VPC, access points. Other servers follow S3
 * less closely.
 */
export function isAws(host: string): boolean {
  return /(^|\.)(amazonaws\.(com(\.cn)?|eu)|api\.(aws|amazonwebservices\.(com\.cn|eu)))$/i.test(host);
}

function invalid(message: string): MillraceError {
  return new MillraceError('InvalidS3Options', `S3 options: ${message}.`);
}
