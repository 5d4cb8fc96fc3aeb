/** The type of a value, for messages: `Promise`, `Map`, `Undefined`, `Object`. */
export function typeName(value: unknown): string {
  return Object.prototype.toString.call(value).slice('[object '.length, -1);
}
