import type { Entry } from './fit.js';
import type { TypeNode } from './types.js';

type Finder = (value: unknown) => boolean;

/**
 * Whether a value of this type contains -0; `undefined` if none can. A dictionary of hyparquet-writer takes it for 0, which JavaScript's
 * maps do.
 */
export function minusZeroIn(type: TypeNode): Finder | undefined {
  switch (type.kind) {
    case 'float':
    case 'double':
      return (value) => Object.is(value, -0);
    case 'list': {
      const find = minusZeroIn(type.item);
      return find && ((value) => value !== null && (value as readonly unknown[]).some(find));
    }
    case 'map': {
      const find = minusZeroIn(type.value);
      return (
        find && ((value) => value !== null && (value as readonly Entry[]).some((entry) => find(entry.value)))
      );
    }
    case 'struct': {
      const finders = type.fields.flatMap((field) => {
        const find = minusZeroIn(field.type);
        return find === undefined ? [] : [{ name: field.name, find }];
      });
      if (finders.length === 0) return undefined;
      return (value) =>
        value !== null &&
        finders.some(({ name, find }) => find((value as Readonly<Record<string, unknown>>)[name]));
    }
    default:
      return undefined;
  }
}
