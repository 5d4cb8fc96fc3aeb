/** Server-side encryption: the parameters of requests. */
import { readFileSync } from 'node:fs';
import { encryptionType } from '../../config/mergeS3.js';
import type { EncryptionOptions } from '../../config/s3Options.js';
import { MillraceError } from '../../errors.js';

/** Sent with every request that creates an object. Copies inherit nothing from their source. */
export interface Encryption {
  readonly ServerSideEncryption?: 'AES256' | 'aws:kms';
  readonly SSEKMSKeyId?: string;
  readonly SSEKMSEncryptionContext?: string;
}

/** Throws `InvalidS3Options`. */
export function encryptionOf(sse: EncryptionOptions = {}): Encryption {
  const type = encryptionType(sse) ?? 'none';
  const { keyId, encryptionContext } = sse.kms ?? {};
  if (type !== 'sse-kms' && (keyId !== undefined || encryptionContext !== undefined))
    throw invalid(`sse.kms means something with sse.type sse-kms only, which is ${type}`);
  if (type === 'none' || type === 'sse-c') return {};
  if (type === 'sse-s3') return { ServerSideEncryption: 'AES256' };
  // Callers in plain JavaScript are not type-checked.
  if ((type as string) !== 'sse-kms')
    throw invalid(`sse.type must be one of none, sse-s3, sse-kms, sse-c, not ${type}`);
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

/**
 * The customer's key in base64. It is sent with every request about an object that it encrypts, so plain HTTP is refused,
 * except on this machine or where it is allowed. Throws `InvalidS3Options`, never showing the key.
 */
export function customerKeyOf(sse: EncryptionOptions = {}, endpoint: URL | undefined): string | undefined {
  const { customerKey, customerKeyFile, customerKeyOverHttp = false } = sse;
  const type = encryptionType(sse) ?? 'none';
  const given = [customerKey, customerKeyFile].filter((each) => each !== undefined).length;
  if (type !== 'sse-c') {
    if (given > 0)
      throw invalid(`sse.customerKey means something with sse.type sse-c only, which is ${type}`);
    return undefined;
  }
  if (given !== 1)
    throw invalid('sse.type sse-c needs sse.customerKey, or sse.customerKeyFile, and not both');
  const key =
    customerKeyFile === undefined ? keyIn('sse.customerKey', customerKey ?? '') : readKey(customerKeyFile);
  if (endpoint?.protocol === 'http:' && !customerKeyOverHttp && !isLoopback(endpoint.hostname))
    throw invalid(
      `sse.type sse-c sends the key with every request, and ${endpoint.origin} is not encrypted: use https, or allow it by sse.customerKeyOverHttp`,
    );
  return key;
}

function readKey(file: string): string {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    const { code = 'error' } = error as NodeJS.ErrnoException;
    throw invalid(`sse.customerKeyFile: ${file} cannot be read: ${code}`);
  }
  return keyIn(`sse.customerKeyFile: ${file}`, bytes.length === keyLength ? bytes : bytes.toString('latin1'));
}

const keyLength = 32;

function keyIn(name: string, given: string | Uint8Array): string {
  const bytes = typeof given === 'string' ? Buffer.from(given.trim(), 'base64') : Buffer.from(given);
  const inBase64 = bytes.toString('base64');
  const plain = (text: string): string => text.replace(/=+$/, '');
  // Node skips characters that are not base64, so the result is compared with the input.
  if (bytes.length !== keyLength || (typeof given === 'string' && plain(given.trim()) !== plain(inBase64)))
    throw invalid(`${name} must be a key of ${keyLength} bytes, or their base64`);
  return inBase64;
}

function isLoopback(hostname: string): boolean {
  return /^(localhost|.+\.localhost|127(\.\d+){3}|\[::1\])$/i.test(hostname);
}

function invalid(message: string): MillraceError {
  return new MillraceError('InvalidS3Options', `S3 options: ${message}.`);
}
