import type { Kind } from './kinds.js';

/** One configuration key: all that reading, checking and documenting it needs. */
export interface Row {
  /** The flat name. `<name>` is a name that the user chose. */
  readonly key: string;
  /** Other spellings. */
  readonly aliases?: readonly string[];
  readonly kind: Kind;
  /** The default, in words. */
  readonly fallback: string;
  /** Where it is among the typed, nested options. */
  readonly option: string;
  readonly doc: string;
  /** Where it may be set: anywhere, in files and code, or in code alone. Default `anywhere`. */
  readonly where?: 'anywhere' | 'file' | 'code';
  /** May differ from bucket to bucket: `s3.bucket.<name>.<rest of the key>`. */
  readonly perBucket?: true;
  /** The key is known, and refused; says why, and what to do. */
  readonly unavailable?: string;
}

/** A timer of the machine's clock that is set further ahead fires at once. */
export const longestTimer = 2 ** 31 - 1;
