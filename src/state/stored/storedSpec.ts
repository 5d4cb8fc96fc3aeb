import { StateError } from '../errors.js';
import type { NamedSpec } from './keyCells.js';
import { readerOf } from '../kinds/index.js';
import { checkFit } from '../backend/mismatches.js';
import type { StateSchema } from '../segment/format.js';
import { messagePack, type Serializer } from '../values/serializer.js';
import type { StateSpec, StateSpecs } from '../state.js';

/** The states of an operator that are read from outside. */
export interface ReadStates {
  readonly operator: string;
  /** Declarations, by name. */
  readonly declared: StateSpecs;
}

/** Finds a declaration for stored state that is not declared. */
type Undeclared = (of: ReadStates, name: string, schema: StateSchema) => StateSpec<unknown>;

/**
 * What to read a stored state with: its declaration, or else what `undeclared` finds. Errors: `StateSchemaMismatch`,
 * `SerializerMissing`.
 */
export function storedSpec(
  of: ReadStates,
  name: string,
  schema: StateSchema,
  undeclared: Undeclared = reader,
): NamedSpec {
  const { operator, declared } = of;
  const spec = Object.hasOwn(declared, name) ? declared[name] : undefined;
  if (spec === undefined) return { operator, name, spec: undeclared(of, name, schema) };
  checkFit(operator, { name, spec }, schema);
  return { operator, name, spec };
}

/** Reads values of the default serializer. */
const reader: Undeclared = ({ operator }, name, { kind, serializer }) => {
  if (serializer.id !== messagePack.id) throw needsSerializer(operator, name, serializer);
  return readerOf(kind) ?? unknownKind(operator, name, kind);
};

/** Passes on what is stored, of any serializer, unless segments have it in several versions. */
export const carrier: Undeclared = ({ operator }, name, { kind, serializer }) => {
  if (serializer.id === messagePack.id) return readerOf(kind) ?? unknownKind(operator, name, kind);
  const missing = (): never => {
    throw needsSerializer(operator, name, serializer);
  };
  const unread: Serializer<unknown> = { ...serializer, encode: missing, decode: missing };
  return readerOf(kind, { serializer: unread }) ?? unknownKind(operator, name, kind);
};

function needsSerializer(operator: string, name: string, { id }: StateSchema['serializer']): StateError {
  return new StateError(
    'SerializerMissing',
    `State ${name} of operator ${operator} was written by serializer ${id}. Declare it as in the job, with that serializer: openState(…, { states: { ${name}: … } }).`,
  );
}

function unknownKind(operator: string, name: string, kind: string): never {
  throw new StateError(
    'SerializerMissing',
    `State ${name} of operator ${operator} is of kind ${kind}, which this millrace does not know. Read it with the version that wrote it, or a later one.`,
  );
}
