/**
 * Schemas as types of avsc, with integers of 64 bits and logical types of our own.
 */
import avsc from 'avsc';
import { MillraceError } from '../../errors.js';
import { isRecord } from '../../shape.js';
import type { Dates } from '../typedValues.js';
import { Checker } from './checker.js';
import { corrupt, messageOf } from './failures.js';
import { logicalTypes } from './logical.js';
import { longType, type Longs } from './long.js';
import { readPlainObjects } from './plainObjects.js';

/** An Avro schema: the name of a type, a union, or an object, as in JSON. A string may also be the JSON itself. */
export type AvroSchema =
  string | readonly AvroSchema[] | { readonly type: unknown; readonly [attribute: string]: unknown };

export interface TypeOptions {
  readonly dates: Dates;
  readonly longs: Longs;
}

/** Throws what avsc throws. */
export function typeOf(schema: unknown, { dates, longs }: TypeOptions): avsc.Type {
  const long = longType(longs);
  const known = new WeakSet<object>();
  const logical = logicalTypes(dates, (each) => {
    const copy = { ...each };
    known.add(copy);
    return copy;
  });
  const type = avsc.Type.forSchema(schema as avsc.Schema, {
    registry: { long },
    logicalTypes: logical,
    omitRecordMethods: true,
    // `{ type: 'long' }` would be a double.
    typeHook: (each: unknown) => {
      if (typeof each !== 'object' || each === null || Array.isArray(each)) return undefined;
      const { type, logicalType } = each as { readonly type?: unknown; readonly logicalType?: unknown };
      if (type !== 'long') return undefined;
      return typeof logicalType === 'string' && Object.hasOwn(logical, logicalType) && !known.has(each)
        ? undefined
        : long;
    },
  });
  readPlainObjects(type);
  return type;
}

/** How the records of one schema are read. */
export interface Reading {
  /** Checks the data of a block. Throws `BadBlock`. */
  check(data: Buffer, count: number): void;
  /** The record at an offset of a block that was checked. Throws if it cannot be represented. */
  decode(data: Buffer, at: number): { readonly value: unknown; readonly offset: number };
  /** The offset after the record at an offset. */
  skip(data: Buffer, at: number): number;
}

/**
 * The schema with what decoding needs. Without default values, which are often wrong, and which only the schema of a reader
 * needs. Throws `SyntaxError`.
 */
export const essential = (schema: string): string => JSON.stringify(typePart(JSON.parse(schema)));

const kept = ['name', 'namespace', 'symbols', 'size', 'logicalType', 'precision', 'scale'];

function typePart(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(typePart);
  if (!isRecord(schema)) return schema;
  const { type, fields, items, values } = schema;
  // Some writers nest them: `{ type: { type: 'string' } }`.
  if (typeof type !== 'string') return typePart(type);
  return {
    ...Object.fromEntries(
      kept.filter((name) => Object.hasOwn(schema, name)).map((name) => [name, schema[name]]),
    ),
    type,
    ...(Array.isArray(fields) && { fields: fields.map(fieldPart) }),
    ...(items !== undefined && { items: typePart(items) }),
    ...(values !== undefined && { values: typePart(values) }),
  };
}

const fieldPart = (field: unknown): unknown =>
  isRecord(field) ? { name: field['name'], type: typePart(field['type']) } : field;

/**
 * Reads what was written with `schema`, which is JSON, as `target`, if that is given. Errors: `Integrity`, `IncompatibleSchema`.
 */
export function readingOf(
  object: string,
  schema: string,
  target: avsc.Type | undefined,
  options: TypeOptions,
): Reading {
  let written: avsc.Type;
  let checker: Checker;
  try {
    written = typeOf(JSON.parse(schema), options);
    checker = new Checker(written);
  } catch (error) {
    throw corrupt(object, `its schema cannot be read: ${messageOf(error)}`, error);
  }
  const type = target ?? written;
  return {
    check: (data, count) => {
      checker.check(data, count);
    },
    skip: (data, at) => checker.skip(data, at),
    decode: decoderOf(object, type, written),
  };
}

function decoderOf(object: string, type: avsc.Type, written: avsc.Type): Reading['decode'] {
  if (type === written) return (data, at) => type.decode(data, at);
  try {
    const resolver = type.createResolver(written, { ignoreNamespaces: true });
    return (data, at) => type.decode(data, at, resolver);
  } catch (error) {
    throw new MillraceError(
      'IncompatibleSchema',
      `${object} cannot be read with the schema given as avroSchema: ${messageOf(error)}. Give new fields a default, or leave the object out of the URI's glob.`,
      { cause: error },
    );
  }
}
