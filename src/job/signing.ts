import type { Signing } from '../checkpoint/index.js';
import { checkOptions, oneOf, type OptionNames } from '../config/checkOptions.js';
import { signingKeys } from '../config/schema/kinds.js';
import { InvalidOption } from '../config/units.js';

/** See docs/security.md for what a signature defends against, for rotation, and for how to begin. */
export interface SignOptions {
  /**
   * A key of 32 characters or more, such as `openssl rand -base64 32` prints, or several: the first signs, all
   * verify. Use separate keys for each job. They are never logged or shown.
   */
  readonly keys: string | readonly string[];
  /**
   * For one start, to take over a log: accepts `'unsigned'` manifests of a job that ran without a key, or those
   * signed in another directory, which was `'moved'`. Default: neither.
   */
  readonly accept?: 'unsigned' | 'moved';
}

const names: OptionNames<SignOptions> = { keys: true, accept: true };

/** Checks the names. Errors: `InvalidOption`, without the value. */
export function checkSign(of: string, sign: SignOptions | undefined, key = 'checkpoints.sign'): void {
  if (sign !== undefined && typeof (sign as unknown) !== 'object') throw notShown(key, 'an object: { keys }');
  checkOptions(of, sign, names, `${key}.`);
}

/** The keys as strings. Errors: `InvalidOption`, without the value. */
export function signing(
  sign: Partial<SignOptions> | undefined,
  key = 'checkpoints.sign',
): Signing | undefined {
  if (sign === undefined) return undefined;
  const { keys, accept } = sign;
  oneOf(`${key}.accept`, accept, ['unsigned', 'moved']);
  const read = signingKeys.read(keys)?.value as readonly string[] | undefined;
  if (read === undefined) throw notShown(`${key}.keys`, signingKeys.rule);
  return { keys: read, accept };
}

/** The error for a value that may be a secret. */
function notShown(key: string, rule: string): InvalidOption {
  return new InvalidOption(
    key,
    undefined,
    rule,
    `${key}: its value (not shown) is not allowed. It must be ${rule}.`,
  );
}
