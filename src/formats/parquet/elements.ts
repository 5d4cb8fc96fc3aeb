/** Columns as the elements of a Parquet schema. */
import type { Field, TypeNode } from './types.js';
import type { SchemaElement } from './writerTypes.js';

/** The schema of files with these columns, as it is in the footer. */
export const elementsOf = (fields: readonly Field[]): SchemaElement[] => [
  { name: 'schema', num_children: fields.length },
  ...fields.flatMap(({ name, type }) => elements(name, type)),
];

/** A column with values: one that has no columns inside. */
export interface Leaf {
  readonly element: SchemaElement;
  /** Its name, after those of the columns around it. */
  readonly path: readonly string[];
}

/** In the order of the file. */
export function leavesOf(elements: readonly SchemaElement[]): Leaf[] {
  const leaves: Leaf[] = [];
  const rest = elements.values();
  const walk = (outer: readonly string[], children = 0): void => {
    for (let i = 0; i < children; i++) {
      const element = rest.next().value;
      if (element === undefined) return;
      const path = [...outer, element.name];
      if (element.type !== undefined) leaves.push({ element, path });
      else walk(path, element.num_children);
    }
  };
  walk([], rest.next().value?.num_children);
  return leaves;
}

/** The bytes of a decimal with this many digits, and its sign. */
export const decimalBytes = (precision: number): number => Math.ceil((precision * Math.log2(10) + 1) / 8);

function elements(name: string, type: TypeNode): SchemaElement[] {
  const repetition_type = type.optional === true ? 'OPTIONAL' : 'REQUIRED';
  const whole = { name, repetition_type } as const;
  switch (type.kind) {
    case 'list':
      return [
        { ...whole, converted_type: 'LIST', logical_type: { type: 'LIST' }, num_children: 1 },
        { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
        ...elements('element', type.item),
      ];
    case 'map':
      return [
        { ...whole, converted_type: 'MAP', logical_type: { type: 'MAP' }, num_children: 1 },
        { name: 'key_value', repetition_type: 'REPEATED', num_children: 2 },
        ...elements('key', { kind: 'string' }),
        ...elements('value', type.value),
      ];
    case 'struct':
      return [
        { ...whole, num_children: type.fields.length },
        ...type.fields.flatMap((field) => elements(field.name, field.type)),
      ];
    default:
      return [{ ...whole, ...leaf(type) }];
  }
}

type LeafNode = Exclude<TypeNode, { readonly kind: 'list' | 'map' | 'struct' }>;

function leaf(type: LeafNode): Omit<SchemaElement, 'name'> {
  switch (type.kind) {
    case 'string':
      return { type: 'BYTE_ARRAY', converted_type: 'UTF8', logical_type: { type: 'STRING' } };
    case 'json':
      return { type: 'BYTE_ARRAY', converted_type: 'JSON', logical_type: { type: 'JSON' } };
    case 'bytes':
      return { type: 'BYTE_ARRAY' };
    case 'uuid':
      return { type: 'FIXED_LEN_BYTE_ARRAY', type_length: 16, logical_type: { type: 'UUID' } };
    case 'boolean':
      return { type: 'BOOLEAN' };
    case 'int32':
      return { type: 'INT32' };
    case 'int64':
      return { type: 'INT64' };
    case 'float':
      return { type: 'FLOAT' };
    case 'double':
      return { type: 'DOUBLE' };
    case 'date':
      return { type: 'INT32', converted_type: 'DATE', logical_type: { type: 'DATE' } };
    case 'timestamp': {
      const unit = ({ millis: 'MILLIS', micros: 'MICROS', nanos: 'NANOS' } as const)[type.unit];
      return {
        type: 'INT64',
        ...(unit !== 'NANOS' && { converted_type: `TIMESTAMP_${unit}` as const }),
        logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: true, unit },
      };
    }
    case 'decimal': {
      const { precision, scale } = type;
      const logical_type = { type: 'DECIMAL', precision, scale } as const;
      const decimal = { converted_type: 'DECIMAL', precision, scale, logical_type } as const;
      if (precision <= 9) return { type: 'INT32', ...decimal };
      if (precision <= 18) return { type: 'INT64', ...decimal };
      return { type: 'FIXED_LEN_BYTE_ARRAY', type_length: decimalBytes(precision), ...decimal };
    }
  }
}
