/**
 * Values of records as the columns hold them: numbers, bigints, booleans, strings, bytes, and arrays and objects of these, which
 * nothing else refers to. What is accepted is in the docs of `types`.
 */
import { isUint8Array } from 'node:util/types';
import { MillraceError } from '../../errors.js';
import { jsonEncoder } from '../jsonEncoder.js';
import { typeName } from '../typeName.js';
import { daysOf, fitInt64, timestampOf, unscaledOf } from './exact.js';
import { Misfit, stepTo } from './misfit.js';
import type { Field, TypeNode } from './types.js';
import { setProperty } from '../typedValues.js';

/** Throws a `Misfit`. */
export type Fit = (value: unknown) => unknown;

/** The function that fits the values of a column. */
export function fitOf(type: TypeNode): Fit {
  const fit = fitOfKind(type);
  if (type.optional === true) return (value) => (value === null || value === undefined ? null : fit(value));
  if (type.kind === 'json')
    return (value) => {
      if (value === undefined) throw new Misfit('is missing');
      return fit(value);
    };
  return (value) => {
    if (value === null || value === undefined) throw new Misfit(value === null ? 'is null' : 'is missing');
    return fit(value);
  };
}

const not = (value: unknown, what: string): Misfit =>
  new Misfit(`is a value of type ${typeName(value)}, not ${what}`);

function fitOfKind(type: TypeNode): Fit {
  switch (type.kind) {
    case 'string':
      return fitString;
    case 'int32':
      return fitInt32;
    case 'int64':
      return (value) => {
        if (typeof value === 'bigint') return fitInt64(value);
        if (Number.isSafeInteger(value)) return BigInt(value as number);
        if (typeof value !== 'number') throw not(value, 'an integer');
        throw new Misfit(
          Number.isInteger(value) ? 'is not a safe integer: use a bigint' : 'is not an integer',
        );
      };
    case 'float':
      return (value) => {
        if (typeof value !== 'number') throw not(value, 'a number');
        const rounded = Math.fround(value);
        if (Number.isFinite(value) && !Number.isFinite(rounded)) throw new Misfit('is too large for a float');
        return rounded;
      };
    case 'double':
      return (value) => {
        if (typeof value !== 'number') throw not(value, 'a number');
        return value;
      };
    case 'boolean':
      return (value) => {
        if (typeof value !== 'boolean') throw not(value, 'a boolean');
        return value;
      };
    case 'bytes':
      return (value) => {
        if (!isUint8Array(value)) throw not(value, 'a Uint8Array');
        return new Uint8Array(value);
      };
    case 'json':
      return jsonFit();
    case 'uuid':
      return (value) => {
        if (typeof value !== 'string' || !uuidForm.test(value)) throw new Misfit('is not a UUID');
        return value.toLowerCase();
      };
    case 'date':
      return daysOf;
    case 'timestamp':
      return (value) => timestampOf(value, type.unit);
    case 'decimal':
      return (value) => unscaledOf(value, type.precision, type.scale);
    case 'list':
      return listFit(fitOf(type.item));
    case 'map':
      return mapFit(fitOf(type.value));
    case 'struct':
      return structFit(type.fields);
  }
}

const uuidForm = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

function fitString(value: unknown): string {
  if (typeof value !== 'string') throw not(value, 'a string');
  if (!value.isWellFormed()) throw new Misfit('has a lone surrogate, which UTF-8 cannot represent');
  return value;
}

function fitInt32(value: unknown): number {
  // -0 is the integer 0.
  if (typeof value === 'number' && (value | 0) === value) return value + 0;
  throw typeof value === 'number' ? new Misfit('is not an integer of 32 bits') : not(value, 'an integer');
}

function jsonFit(): Fit {
  const encode = jsonEncoder();
  return (value) => {
    try {
      return encode(value);
    } catch (error) {
      if (error instanceof MillraceError) throw new Misfit('has no JSON form');
      throw error;
    }
  };
}

function listFit(fit: Fit): Fit {
  return (value) => {
    if (!Array.isArray(value)) throw not(value, 'an array');
    const items = new Array<unknown>(value.length);
    let i = 0;
    try {
      for (; i < value.length; i++) items[i] = fit(value[i]);
    } catch (error) {
      throw error instanceof Misfit ? error.within(`[${i}]`) : error;
    }
    return items;
  };
}

/** An entry of a map. */
export interface Entry {
  readonly key: string;
  readonly value: unknown;
}

function mapFit(fit: Fit): Fit {
  return (value) => {
    const isMap = value instanceof Map;
    if (
      !isMap &&
      (typeof value !== 'object' || value === null || Array.isArray(value) || isUint8Array(value))
    )
      throw not(value, 'an object or a Map');
    const entries: Iterable<readonly [unknown, unknown]> = isMap
      ? (value as ReadonlyMap<unknown, unknown>)
      : Object.entries(value);
    const fitted: Entry[] = [];
    for (const [name, each] of entries) {
      if (!isMap && each === undefined) continue;
      try {
        fitted.push({ key: fitString(name), value: fit(each) });
      } catch (error) {
        throw error instanceof Misfit
          ? error.within(`[${JSON.stringify(String(name).slice(0, 80))}]`)
          : error;
      }
    }
    return fitted;
  };
}

function structFit(fields: readonly Field[]): Fit {
  const fit = recordFit(fields);
  const names = fields.map(({ name }) => name);
  return (value) => {
    const fitted = new Array<unknown>(names.length);
    fit(value, fitted);
    const result: Record<string, unknown> = {};
    for (const [i, name] of names.entries()) setProperty(result, name, fitted[i]);
    return result;
  };
}

/** Fits the fields of an object into `target`, in order. An object with other fields is refused. */
export function recordFit(fields: readonly Field[]): (value: unknown, target: unknown[]) => void {
  const columns = fields.map(({ name, type }) => ({
    name,
    fit: fitOf(type),
    // Every object has these, but not as its own.
    inherited: name in Object.prototype,
  }));
  const places = new Map(fields.map(({ name }, i) => [name, i]));
  return (value, target) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw not(value, 'an object');
    const record = value as Readonly<Record<string, unknown>>;
    let i = 0;
    let at = '';
    try {
      for (const { name, fit, inherited } of columns) {
        at = name;
        const given = inherited && !Object.hasOwn(record, name) ? undefined : record[name];
        target[i++] = fit(given);
      }
    } catch (error) {
      throw error instanceof Misfit ? error.within(stepTo(at)) : error;
    }
    refuseOthers(record, columns, places);
  };
}

/** Dropping a value without a trace would lose it. Most records have their fields in the order of the schema. */
function refuseOthers(
  record: Readonly<Record<string, unknown>>,
  columns: readonly { readonly name: string }[],
  places: ReadonlyMap<string, number>,
): void {
  let next = 0;
  for (const name in record) {
    if (name === columns[next]?.name) {
      next++;
      continue;
    }
    const place = places.get(name);
    if (place !== undefined) next = place + 1;
    else if (record[name] !== undefined) throw new Misfit('is not in the schema').within(stepTo(name));
  }
}
