import type { EncryptionOptions, S3Options } from '../../config/s3Options.js';
import { MillraceError } from '../../errors.js';
import type { ChecksumKind } from '../checksums.js';

/** What requests look like, as servers differ in what they understand. */
export interface WireOptions {
  /** Of every body. */
  readonly checksum: ChecksumKind | undefined;
  readonly checksumValidation: boolean;
  readonly chunkedEncoding: boolean;
  readonly storageClass: string | undefined;
  readonly accelerate: boolean;
  readonly dualStack: boolean;
  readonly encryption: Encryption;
}

/** Said with everything that makes an object, copies included: they inherit nothing from their source. */
export interface Encryption {
  readonly ServerSideEncryption?: 'AES256' | 'aws:kms';
  readonly SSEKMSKeyId?: string;
  readonly SSEKMSEncryptionContext?: string;
}

const checksums: readonly string[] = ['crc32', 'crc32c', 'crc64nvme', 'when-required'];

/** Throws `InvalidS3Options`. */
export function resolveWire(options: S3Options, custom: boolean, endpoint: string | undefined): WireOptions {
  const { checksum = custom ? 'when-required' : 'crc32', storageClass } = options;
  if (!checksums.includes(checksum))
    throw invalid(`checksum must be one of ${checksums.join(', ')}, not ${checksum}`);
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
    checksum: checksum === 'when-required' ? undefined : checksum,
    checksumValidation: options.checksumValidation ?? !custom,
    chunkedEncoding: options.chunkedEncoding ?? false,
    storageClass,
    accelerate,
    dualStack,
    encryption: encryptionOf(options.sse),
  };
}

function encryptionOf({ type = 'none', kms }: EncryptionOptions = {}): Encryption {
  const { keyId, encryptionContext } = kms ?? {};
  if (type !== 'sse-kms' && (keyId !== undefined || encryptionContext !== undefined))
    throw invalid(`sse.kms means something with sse.type sse-kms only, which is ${type}`);
  if (type === 'none') return {};
  if (type === 'sse-s3') return { ServerSideEncryption: 'AES256' };
  // Not all that calls this is checked by a compiler.
  if ((type as string) !== 'sse-kms')
    throw invalid(`sse.type must be one of none, sse-s3, sse-kms, not ${type}`);
  if (keyId !== undefined && !/^[\x21-\x7e]+$/.test(keyId))
    throw invalid('sse.kms.keyId must be a key id, an ARN or alias/<name>');
  return {
    ServerSideEncryption: 'aws:kms',
    ...(keyId === undefined ? {} : { SSEKMSKeyId: keyId }),
    ...(encryptionContext === undefined || Object.keys(encryptionContext).length === 0
      ? {}
      : { SSEKMSEncryptionContext: Buffer.from(JSON.stringify(encryptionContext)).toString('base64') }),
  };
}

/** What writes ask for that not every server has, in words. */
export function wantedBy(options: WireOptions & { readonly custom: boolean }): string | undefined {
  const { encryption, storageClass, checksum, custom } = options;
  const { ServerSideEncryption: sse } = encryption;
  const wanted = [
    ...(sse === undefined ? [] : [`the encryption ${sse === 'AES256' ? 'sse-s3' : 'sse-kms'}`]),
    ...(storageClass === undefined ? [] : [`the storage class ${storageClass}`]),
    ...(checksum === undefined || !custom ? [] : [`the checksum ${checksum}`]),
  ];
  return wanted.length === 0 ? undefined : wanted.join(', ');
}

/**
 * Whether an endpoint is one of AWS's own, in any partition: regional, FIPS, dual stack, VPC, access points. What is not
 * follows S3 less closely.
 */
export function isAws(host: string): boolean {
  return /(^|\.)(amazonaws\.(com(\.cn)?|eu)|api\.(aws|amazonwebservices\.(com\.cn|eu)))$/i.test(host);
}

function invalid(message: string): MillraceError {
  return new MillraceError('InvalidS3Options', `S3 options: ${message}.`);
}
