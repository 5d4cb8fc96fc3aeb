import { MillraceError } from '../errors.js';
import { hasRounded, stringifyExactly } from './jsonNumbers.js';
import { typeName } from './typeName.js';

/** The number of records written exactly after one that required it. That is slower, but finding out is slower still. */
const exactRun = 1000;

/**
 * Writes records as JSON like `JSON.stringify`, with two differences: bigints and `JsonNumber`s are written with all their
 * digits, and values without a JSON form are refused where `JSON.stringify` would write `{}`.
 *
 * Errors: `NotJson`.
 */
export function jsonEncoder(): (record: unknown) => string {
  let exact = 0;
  return (record) => {
    let text: string | undefined;
    if (exact > 0) {
      exact--;
      text = exactly(record);
    } else {
      try {
        text = JSON.stringify(record);
      } catch (error) {
        // A bigint, or a value without a JSON form. The second try determines which.
        if (!(error instanceof TypeError)) throw failure(error);
        exact = exactRun;
      }
      if (hasRounded()) exact = exactRun;
      if (exact > 0) text = exactly(record);
    }
    if (text === undefined) throw notJson(`is a value of type ${typeName(record)}`);
    if (text === '{}' || (mayHide(record) && text.includes('{}'))) checkEmpty(record, '');
    return text;
  };
}

/**
 * Whether `record` contains objects. Most records are flat, and checking their values costs less than searching their text.
 */
function mayHide(record: unknown): boolean {
  if (typeof record !== 'object') return false;
  for (const name in record) {
    const value = (record as Record<string, unknown>)[name];
    if (typeof value === 'object' && value !== null) return true;
  }
  return false;
}

function exactly(record: unknown): string | undefined {
  try {
    return stringifyExactly(record);
  } catch (error) {
    throw failure(error);
  }
}

/** Finds values that `JSON.stringify` writes as `{}` although they are not empty objects: a Promise, a Map, a Set, an Error. */
function checkEmpty(value: unknown, path: string): void {
  if (typeof value !== 'object' || value === null || 'toJSON' in value) return;
  const entries = Object.entries(value);
  const type = typeName(value);
  if (entries.length === 0 && type !== 'Object' && !Array.isArray(value) && !isEmptyArray(value))
    throw notJson(path === '' ? `is a value of type ${type}` : `has a value of type ${type} at ${path}`);
  for (const [name, inner] of entries) checkEmpty(inner, path === '' ? name : `${path}.${name}`);
}

/** A typed array without elements. A `DataView` has no entries even if it is not empty. */
function isEmptyArray(value: object): boolean {
  return ArrayBuffer.isView(value) && value.byteLength === 0;
}

/** The error to throw when `JSON.stringify` fails. Errors of a user's `toJSON` are passed on. */
function failure(error: unknown): unknown {
  if (error instanceof TypeError) return notJson('cannot be written', error);
  if (error instanceof RangeError) return notJson('is nested too deeply, or too long', error);
  return error;
}

function notJson(what: string, cause?: Error): MillraceError {
  const because = cause === undefined ? '' : ` (${cause.message.replaceAll(/\s*\n\s*/g, ' ')})`;
  return new MillraceError(
    'NotJson',
    `A record ${what}${because}, which has no JSON form: map it to plain data before the sink.`,
    cause === undefined ? {} : { cause },
  );
}
