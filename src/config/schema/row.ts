import type { Kind } from './kinds.js';

/** One configuration key: how it is parsed, validated and documented. */
export interface Row {
  /** The flat key. `<name>` is chosen by the user. */
  readonly key: string;
  /** Other spellings. */
  readonly aliases?: readonly string[];
  readonly kind: Kind;
  /** The default, in words. */
  readonly fallback: string;
  /** The path of the typed, nested option. */
  readonly option: string;
  readonly doc: string;
  /** Where it may be set: anywhere, in files and code, or in code alone. Default `anywhere`. */
  readonly where?: 'anywhere' | 'file' | 'code';
  /** May differ from bucket to bucket: `s3.bucket.<name>.<rest of the key>`. */
  readonly perBucket?: true;
}

/** Milliseconds. A longer timer of Node fires immediately. */
export const longestTimer = 2 ** 31 - 1;
