/**
 * avsc makes an instance of a class for each record, and for each value of a union that has to show its branch. Such values could
 * not be keys, state, or records of an outbox, so here they get the prototype of plain objects.
 */
import type avsc from 'avsc';

/** Has all records of a type, nested ones included, read as plain objects. */
export function readPlainObjects(type: avsc.Type, known = new Set<avsc.Type>()): void {
  if (known.has(type)) return;
  known.add(type);
  const { recordConstructor, fields, itemsType, valuesType, types, underlyingType } = type as Parts;
  if (recordConstructor !== undefined) recordConstructor.prototype = Object.prototype;
  // A union cannot be a branch of another.
  const wrapped: unknown = types === undefined ? type.wrap(undefined) : undefined;
  const branch = (wrapped as object | null | undefined)?.constructor as Constructor | undefined;
  if (branch !== undefined && branch !== Object) branch.prototype = Object.prototype;
  for (const { type: of } of fields ?? []) readPlainObjects(of, known);
  for (const of of [itemsType, valuesType, underlyingType, ...(types ?? [])])
    if (of !== undefined) readPlainObjects(of, known);
}

interface Constructor {
  prototype: unknown;
}

/** What the types of avsc consist of. */
type Parts = avsc.Type & {
  readonly recordConstructor?: Constructor;
  readonly fields?: readonly { readonly type: avsc.Type }[];
  readonly itemsType?: avsc.Type;
  readonly valuesType?: avsc.Type;
  readonly types?: readonly avsc.Type[];
  readonly underlyingType?: avsc.Type;
};
