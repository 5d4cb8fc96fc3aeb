/**
 * Whether the columns of a file have the types of the schema with which it is read. Values are converted by the types of the file, so
 * a column of another type would be read as values that the record's type does not have. Every value of a column that fits has the
 * type that `types` promises, except that it may be `null`: most writers call every column optional.
 */
import type { SchemaElement, SchemaTree } from 'hyparquet';
import type { TypeNode } from './types.js';
import type { Kinds } from './values.js';

/** Where a column does not fit, and how. */
export interface Unfit {
  /** The names of the columns around it, and its own. */
  readonly path: readonly string[];
  /** What the file has: `STRING`. */
  readonly has: string;
  /** The type in the schema: `int64`. */
  readonly wants: string;
}

/** The first place where a column of a file does not have a type. */
export function unfit(type: TypeNode, tree: SchemaTree, kinds: Kinds): Unfit | undefined {
  const { element, children, path } = tree;
  const refused = (has = described(element, kinds)): Unfit => ({ path, has, wants: type.kind });
  if (type.kind === 'json') return undefined;
  if (type.kind === 'list') {
    const [only] = children;
    if (element.repetition_type === 'REPEATED' && only === undefined)
      return inner(type.item, tree, kinds, refused);
    if (element.converted_type !== 'LIST' || only === undefined) return refused();
    return unfit(type.item, only.children.length === 1 ? (only.children[0] ?? only) : only, kinds);
  }
  if (element.repetition_type === 'REPEATED' && tree.children.length === 0) return refused('a list');
  if (type.kind === 'map') {
    const value = children[0]?.children.find((child) => child.element.name === 'value');
    return element.converted_type === 'MAP' && value !== undefined
      ? unfit(type.value, value, kinds)
      : refused();
  }
  if (type.kind === 'struct') {
    if (children.length === 0 || isCollection(element)) return refused();
    for (const field of type.fields) {
      const child = children.find(({ element: { name } }) => name === field.name);
      if (child === undefined) return { path: [...path, field.name], has: 'nothing', wants: field.type.kind };
      const found = unfit(field.type, child, kinds);
      if (found !== undefined) return found;
    }
    return undefined;
  }
  return children.length === 0 && leafFits(type.kind, element, kinds) ? undefined : refused();
}

/** A column that repeats is a list of its values. */
function inner(
  type: TypeNode,
  { element }: SchemaTree,
  kinds: Kinds,
  refused: () => Unfit,
): Unfit | undefined {
  const isLeaf =
    type.kind !== 'list' && type.kind !== 'map' && type.kind !== 'struct' && type.kind !== 'json';
  return type.kind === 'json' || (isLeaf && leafFits(type.kind, element, kinds)) ? undefined : refused();
}

const isCollection = ({ converted_type: old, logical_type: logical }: SchemaElement): boolean =>
  old === 'LIST' || old === 'MAP' || old === 'MAP_KEY_VALUE' || logical?.type === 'VARIANT';

type LeafKind = Exclude<TypeNode['kind'], 'list' | 'map' | 'struct' | 'json'>;

function leafFits(wanted: LeafKind, element: SchemaElement, kinds: Kinds): boolean {
  const { type } = element;
  const kind = kinds.get(element)?.kind;
  const plain = kind === undefined;
  switch (wanted) {
    case 'string':
    case 'uuid':
      return kind === 'text' || kind === 'time' || (plain && isText(element));
    case 'bytes':
      return kind === 'bytes' || (plain && isBytes(element) && !isText(element) && !isHalf(element));
    case 'boolean':
      return type === 'BOOLEAN';
    case 'int32':
      return plain && type === 'INT32';
    case 'int64':
      return plain && (type === 'INT32' || type === 'INT64');
    case 'float':
    case 'double':
      return plain && (type === 'FLOAT' || type === 'DOUBLE' || type === 'INT32' || isHalf(element));
    case 'decimal':
      return kind === 'decimal' || (plain && (type === 'INT32' || type === 'INT64'));
    case 'date':
    case 'timestamp':
      return kind === wanted;
  }
}

const isBytes = ({ type }: SchemaElement): boolean =>
  type === 'BYTE_ARRAY' || type === 'FIXED_LEN_BYTE_ARRAY';

/** hyparquet makes strings of them. */
const isText = ({ converted_type: old, logical_type: logical }: SchemaElement): boolean =>
  old === 'UTF8' || logical?.type === 'STRING' || logical?.type === 'UUID';

const isHalf = ({ logical_type: logical }: SchemaElement): boolean => logical?.type === 'FLOAT16';

function described(element: SchemaElement, kinds: Kinds): string {
  const { type, converted_type: old, logical_type: logical } = element;
  const kind = kinds.get(element)?.kind;
  if (kind !== undefined && kind !== 'text' && kind !== 'bytes') return kind.toUpperCase();
  if (type === undefined) return old ?? logical?.type ?? 'a group';
  return isBytes(element) && (kind === 'text' || isText(element)) ? (logical?.type ?? 'STRING') : type;
}
