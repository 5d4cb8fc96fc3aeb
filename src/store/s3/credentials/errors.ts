import type { S3Credentials } from '../../../config/s3Options.js';
import { StoreError } from '../../errors.js';

/** The error of missing credentials. Its `serverCode`, the SDK's, distinguishes it from missing permissions. */
export function noCredentials(message: string): StoreError {
  return new StoreError('PermissionDenied', message, { serverCode: 'CredentialsProviderError' });
}

/** Whether a message is about a failed connection: the SDK's providers only pass on the message of an error. */
export function isAboutNetwork(text: string): boolean {
  return /\bE(CONN[A-Z]+|NOTFOUND|AI_AGAIN|TIMEDOUT|HOSTUNREACH|NETUNREACH|PIPE|PROTO)\b|TimeoutError|socket hang up/.test(
    text,
  );
}

/** Removes the secret parts of `credentials` and signatures: servers echo what was signed. */
export function redact(text: string, credentials: Partial<S3Credentials>): string {
  const { secretAccessKey, sessionToken } = credentials;
  return [secretAccessKey, sessionToken]
    .flatMap((secret) => (secret === undefined || secret === '' ? [] : [secret, encodeURIComponent(secret)]))
    .reduce((redacted, secret) => redacted.replaceAll(secret, '***'), text)
    .replace(/Signature=[0-9a-f]+/g, 'Signature=***');
}

/** The first line of an error's message, redacted. */
export function messageOf(error: unknown, credentials: Partial<S3Credentials> = {}): string {
  const text = error instanceof Error ? error.message : '';
  return redact(text, credentials).split('\n', 1)[0] ?? '';
}
