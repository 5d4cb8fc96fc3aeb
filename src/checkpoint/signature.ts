import { createHmac, timingSafeEqual } from 'node:crypto';

/** How the manifests of a job are signed. */
export interface Signing {
  /** The first signs, all verify. At least one. */
  readonly keys: readonly string[];
  /**
   * What is believed although it does not verify, to take over a log: `unsigned` manifests, or ones that were signed for
   * another checkpoint directory (`moved`).
   */
  readonly accept?: 'unsigned' | 'moved' | undefined;
}

/** The HMAC-SHA-256 of a manifest's JSON, which says which entry of which job it is, and where. */
export function signatureOf(json: Uint8Array, key: string): string {
  return createHmac('sha256', key).update('millrace-manifest\n').update(json).digest('hex');
}

export function isSignedBy(json: Uint8Array, signature: string, keys: readonly string[]): boolean {
  const given = Buffer.from(signature, 'hex');
  return keys.some((key) => timingSafeEqual(Buffer.from(signatureOf(json, key), 'hex'), given));
}
