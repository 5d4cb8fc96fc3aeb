import type { StandardSchemaV1 } from '@standard-schema/spec';
import { InvalidOption } from '../config/units.js';
import { MillraceError } from '../errors.js';

/** The schema has rejected a value: the record is malformed. */
export class Refused extends Error {
  constructor(issues: readonly StandardSchemaV1.Issue[]) {
    super(`rejected by the schema: ${issues.map(issueText).join('; ')}`);
  }
}

/**
 * A function that validates values of a format, and may transform them. Without a schema it returns them unchecked.
 * It throws `Refused`. Errors: `InvalidOption` (not a Standard Schema), `AsyncSchema` (found when it validates).
 *
 * @param of the format: `ndjson`
 */
export function validator<T>(
  of: string,
  schema: StandardSchemaV1<unknown, T> | undefined,
): (value: unknown) => T {
  if (schema === undefined) return (value) => value as T;
  if (typeof validateOf(schema) !== 'function')
    throw new InvalidOption(
      `${of}: schema`,
      schema,
      'a Standard Schema, such as one of zod, valibot or arktype',
    );
  const standard = schema['~standard'];
  return (value) => {
    const result = standard.validate(value);
    if (isPromise(result)) {
      // The error below ends the job. Without a handler, a rejection of the promise would end the process instead.
      result.then(undefined, () => undefined);
      throw new MillraceError(
        'AsyncSchema',
        `The ${standard.vendor} schema given to ${of} returned a promise: a function in it is asynchronous, or has thrown an error (zod then starts again asynchronously). Use functions that are synchronous and report what they reject as an issue, or validate after values().`,
      );
    }
    if (result.issues === undefined) return result.value;
    throw new Refused(result.issues);
  };
}

/** Of any library or realm. */
const isPromise = <R>(result: R | Promise<R>): result is Promise<R> =>
  typeof (result as { readonly then?: unknown } | undefined)?.then === 'function';

/** Callers may be JavaScript. Some schemas are functions. */
const validateOf = (schema: object): unknown =>
  (schema as { readonly '~standard'?: { readonly validate?: unknown } } | null)?.['~standard']?.validate;

function issueText({ message, path }: StandardSchemaV1.Issue): string {
  if (path === undefined || path.length === 0) return message;
  return `${path.map((part) => String(typeof part === 'object' ? part.key : part)).join('.')}: ${message}`;
}
