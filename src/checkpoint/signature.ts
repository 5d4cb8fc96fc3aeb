import { createHmac, timingSafeEqual } from 'node:crypto';

/** How the manifests of a job are signed. */
export interface Signing {
  /** The first key signs, all verify. At least one. */
  readonly keys: readonly string[];
  /**
   * Manifests to accept although they do not verify, for taking over a log: `unsigned` ones, or those signed for another
   * checkpoint directory (`moved`).
   */
  readonly accept?: 'unsigned' | 'moved' | undefined;
}

/**
 * The HMAC-SHA-256 of a manifest's JSON, which contains the entry's number, job and directory, or of the root of a
 * savepoint.
 *
 * @param magic distinguishes the two, so neither can be passed off as the other
 */
export function signatureOf(json: Uint8Array, key: string, magic: string): string {
  return createHmac('sha256', key).update(`${magic}\n`).update(json).digest('hex');
}

export function isSignedBy(
  json: Uint8Array,
  signature: string,
  keys: readonly string[],
  magic: string,
): boolean {
  const given = Buffer.from(signature, 'hex');
  return keys.some((key) => timingSafeEqual(Buffer.from(signatureOf(json, key, magic), 'hex'), given));
}
