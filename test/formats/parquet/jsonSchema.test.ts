import type { StandardJSONSchemaV1, StandardSchemaV1 } from '@standard-schema/spec';
import { fileSink } from 'millrace';
import type { MillraceError } from '../../../src/errors.js';
import { parquet } from '../../../src/formats/parquet/index.js';
import { Collected, fileOf } from './files.js';
import { decoded } from './reading.js';
import { readByDuckDb } from './written.js';

type Given = StandardSchemaV1<unknown, object> & StandardJSONSchemaV1<unknown, object>;

/** A Standard Schema that accepts everything, with a JSON Schema as zod makes it. */
function schemaOf(jsonSchema: Record<string, unknown> | Error): Given {
  const output = (): Record<string, unknown> => {
    if (jsonSchema instanceof Error) throw jsonSchema;
    return jsonSchema;
  };
  return {
    '~standard': {
      version: 1,
      vendor: 'test',
      validate: (value) => ({ value: value as object }),
      jsonSchema: { input: output, output },
    },
  };
}

const visit = schemaOf({
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  type: 'object',
  properties: {
    id: { type: 'integer', minimum: -9007199254740991, maximum: 9007199254740991 },
    small: { type: 'integer', minimum: -2147483648, maximum: 2147483647 },
    at: { type: 'string', format: 'date-time' },
    price: { type: ['number', 'null'] },
    tags: { type: 'array', items: { type: 'string' } },
    pair: { type: 'array', prefixItems: [{ type: 'string' }, { type: 'number' }] },
    counts: { type: 'object', propertyNames: { type: 'string' }, additionalProperties: { type: 'integer' } },
    kind: { enum: ['a', 'b'] },
    level: { anyOf: [{ const: 1 }, { type: 'null' }] },
    either: { anyOf: [{ type: 'string' }, { type: 'number' }] },
    both: { allOf: [{ type: 'object', properties: { a: { type: 'string' } } }] },
    place: { $ref: '#/$defs/place' },
    tree: { $ref: '#/$defs/tree' },
    yes: { type: 'boolean' },
    any: {},
  },
  required: [
    'id',
    'small',
    'at',
    'tags',
    'pair',
    'counts',
    'kind',
    'either',
    'both',
    'place',
    'tree',
    'yes',
    'any',
  ],
  additionalProperties: false,
  $defs: {
    place: { type: 'object', properties: { lat: { type: 'number' } }, required: ['lat'] },
    tree: { type: 'object', properties: { next: { $ref: '#/$defs/tree' }, n: { type: 'integer' } } },
  },
});

const record = {
  id: 1,
  small: 2,
  at: '2026-11-29T12:00:00Z',
  price: null,
  tags: ['a'],
  pair: ['a', 1],
  counts: { x: 1 },
  kind: 'a',
  level: 1,
  either: 'x',
  both: { a: 'y' },
  place: { lat: 1.5 },
  tree: { next: { n: 1 }, n: 2 },
  yes: true,
  any: [1, { a: null }],
};

test('columns come from the JSON Schema of a Standard Schema', async () => {
  const file = fileOf(parquet({ schema: visit }), [record]);
  expect(await decoded(file, { schema: visit })).toEqual([record]);
  const columns = await readByDuckDb(file, (path) => `DESCRIBE SELECT * FROM '${path}'`);
  expect(columns.map(({ column_name, column_type }) => `${column_name} ${column_type}`)).toEqual([
    'id BIGINT',
    'small INTEGER',
    'at VARCHAR',
    'price DOUBLE',
    'tags VARCHAR[]',
    'pair JSON',
    'counts MAP(VARCHAR, BIGINT)',
    'kind VARCHAR',
    'level BIGINT',
    'either JSON',
    'both JSON',
    'place STRUCT(lat DOUBLE)',
    'tree STRUCT("next" JSON, n BIGINT)',
    'yes BOOLEAN',
    'any JSON',
  ]);
});

test.each<readonly [string, Record<string, unknown> | Error]>([
  [
    'has no JSON Schema (Date cannot be represented in JSON Schema)',
    new Error('Date cannot be represented in JSON Schema'),
  ],
  ['is not of objects with properties', { type: 'string' }],
  ['is not of objects with properties', { type: 'object', additionalProperties: { type: 'string' } }],
])('a schema that %s is refused when a file is opened, and reads', async (what, jsonSchema) => {
  const format = parquet({ schema: schemaOf(jsonSchema) });
  fileSink('out', 'memory://lake/out', { format });
  let thrown: unknown;
  try {
    format.open(new Collected());
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toMatchObject({ code: 'InvalidOption' });
  expect((thrown as MillraceError).message).toContain(`parquet: schema of test ${what}`);
  const file = fileOf(parquet({ schema: visit }), [record]);
  expect(await decoded(file, { schema: schemaOf(jsonSchema) })).toEqual([record]);
});

test('a Standard Schema without JSON Schema only reads', () => {
  const { validate } = visit['~standard'];
  const format = parquet({
    schema: { '~standard': { version: 1, vendor: 'test', validate } },
  });
  expect('open' in format).toBe(false);
});
