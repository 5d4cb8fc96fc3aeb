/**
 * Columns from JSON Schema, which a Standard Schema may give of itself. Strings stay strings, whatever their format, so that what is
 * read is what was written. What has no type of its own becomes a column of JSON.
 */
import type { StandardJSONSchemaV1 } from '@standard-schema/spec';
import { InvalidOption } from '../../config/units.js';
import { isRecord } from '../../shape.js';
import { areFields, type Field, type TypeNode } from './types.js';

/** A Standard Schema that gives its JSON Schema. */
export type GivesJsonSchema = StandardJSONSchemaV1<unknown, unknown>;

export function givesJsonSchema(schema: unknown): schema is GivesJsonSchema {
  const { '~standard': standard } = schema as {
    readonly '~standard'?: { readonly jsonSchema?: { readonly output?: unknown } };
  };
  return typeof standard?.jsonSchema?.output === 'function';
}

/** The columns of the records that a schema returns. Errors: `InvalidOption`. */
export function fieldsOfSchema(schema: GivesJsonSchema): readonly Field[] {
  const { jsonSchema, vendor } = schema['~standard'];
  let given: Record<string, unknown>;
  try {
    given = jsonSchema.output({ target: 'draft-2020-12' });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw unusable(vendor, `has no JSON Schema (${why})`);
  }
  const type = typeOf(given, { root: given, within: ['#'] });
  if (type.kind !== 'struct' || !areFields(type.fields))
    throw unusable(vendor, 'is not of objects with properties');
  return type.fields;
}

const unusable = (vendor: string, what: string): InvalidOption =>
  new InvalidOption(
    'parquet: schema',
    vendor,
    'columns',
    `parquet: schema of ${vendor} ${what}, so it does not say which columns to write. Set schema to columns of types of millrace/parquet.`,
  );

type JsonSchema = Readonly<Record<string, unknown>>;

const json: TypeNode = { kind: 'json' };
/** The whole schema, and the references that led to a part of it: one that contains itself is JSON. */
interface Place {
  readonly root: JsonSchema;
  readonly within: readonly string[];
}

function typeOf(schema: unknown, place: Place): TypeNode {
  if (!isRecord(schema)) return json;
  const { $ref } = schema;
  if (typeof $ref === 'string') {
    if (place.within.includes($ref)) return json;
    return typeOf(referred($ref, place.root), { ...place, within: [...place.within, $ref] });
  }
  const { options, nullable } = optionsOf(schema);
  if (nullable) {
    const [only] = options;
    return { ...(options.length === 1 ? typeOf(only, place) : json), optional: true };
  }
  if (options.length > 1) return json;
  return typeOfOne(schema, place);
}

function typeOfOne(schema: JsonSchema, place: Place): TypeNode {
  switch (schema['type'] ?? typeOfValues(schema)) {
    case 'string':
      return { kind: 'string' };
    case 'boolean':
      return { kind: 'boolean' };
    case 'number':
      return { kind: 'double' };
    case 'integer':
      return { kind: isSmall(schema) ? 'int32' : 'int64' };
    case 'array':
      return isRecord(schema['items']) && schema['prefixItems'] === undefined
        ? { kind: 'list', item: typeOf(schema['items'], place) }
        : json;
    case 'object':
      return objectOf(schema, place);
    default:
      return json;
  }
}

function objectOf(schema: JsonSchema, place: Place): TypeNode {
  const { properties, additionalProperties: others, required } = schema;
  const names = isRecord(properties) ? Object.keys(properties) : [];
  if (names.length === 0)
    return isRecord(others) && Object.keys(others).length > 0
      ? { kind: 'map', value: typeOf(others, place) }
      : json;
  // Properties of any name have no columns.
  if (others === true || (isRecord(others) && Object.keys(others).length > 0)) return json;
  const always = new Set(Array.isArray(required) ? required : []);
  const fields = names.map((name): Field => {
    const type = typeOf((properties as JsonSchema)[name], place);
    return { name, type: always.has(name) ? type : { ...type, optional: true } };
  });
  return { kind: 'struct', fields };
}

/** The schemas of which one applies, without that of `null`. */
function optionsOf(schema: JsonSchema): { readonly options: readonly unknown[]; readonly nullable: boolean } {
  const { anyOf, oneOf, allOf, type } = schema;
  const options: readonly unknown[] = Array.isArray(anyOf)
    ? anyOf
    : Array.isArray(oneOf)
      ? oneOf
      : Array.isArray(type)
        ? type.map((each: unknown) => ({ ...schema, type: each }))
        : Array.isArray(allOf)
          ? [schema, ...(allOf as unknown[])]
          : [schema];
  const others = options.filter((each) => !(isRecord(each) && each['type'] === 'null'));
  return { options: others, nullable: others.length < options.length };
}

/** The type of the values of an enumeration, if all have one. */
function typeOfValues(schema: JsonSchema): unknown {
  const values = Array.isArray(schema['enum'])
    ? (schema['enum'] as unknown[])
    : 'const' in schema
      ? [schema['const']]
      : [];
  const types = new Set(values.map((value) => (Number.isSafeInteger(value) ? 'integer' : typeof value)));
  return types.size === 1 ? [...types][0] : undefined;
}

function isSmall({ minimum, maximum }: JsonSchema): boolean {
  return (
    typeof minimum === 'number' && typeof maximum === 'number' && minimum >= -(2 ** 31) && maximum < 2 ** 31
  );
}

/** `#/$defs/name`. */
function referred(ref: string, root: JsonSchema): unknown {
  let found: unknown = root;
  for (const step of ref.split('/').slice(1)) {
    const name = step.replaceAll('~1', '/').replaceAll('~0', '~');
    found = isRecord(found) && Object.hasOwn(found, name) ? found[name] : undefined;
  }
  return found;
}
