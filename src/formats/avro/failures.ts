import { MillraceError } from '../../errors.js';

/** An object is not an Avro container, or its header is damaged. */
export const corrupt = (object: string, what: string, cause?: unknown): MillraceError =>
  new MillraceError(
    'Integrity',
    `${object} is not an intact Avro container: ${what}. Replace the object, or leave it out of the URI's glob.`,
    cause === undefined ? {} : { cause },
  );

/** A block that cannot be decoded: all of it is malformed. */
export class BadBlock extends Error {}

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
