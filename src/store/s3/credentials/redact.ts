import type { S3Credentials } from '../../../config/s3Options.js';

/** The text without the secret parts of `credentials` and without signatures: servers echo what was signed. */
export function redact(text: string, credentials: Partial<S3Credentials>): string {
  const { secretAccessKey, sessionToken } = credentials;
  return [secretAccessKey, sessionToken]
    .flatMap((secret) => (secret === undefined || secret === '' ? [] : [secret, encodeURIComponent(secret)]))
    .reduce((redacted, secret) => redacted.replaceAll(secret, '***'), text)
    .replace(/Signature=[0-9a-f]+/g, 'Signature=***');
}

/** What `error` says, in one line. */
export function reasonOf(error: unknown, credentials: Partial<S3Credentials> = {}): string {
  const text = error instanceof Error ? error.message : '';
  return redact(text, credentials).split('\n', 1)[0] ?? '';
}
