/** Whether an object with this prototype is a plain one; of another realm (`vm`, a test runner's) too. */
export function isPlain(prototype: unknown): boolean {
  return prototype === Object.prototype || prototype === null || Object.getPrototypeOf(prototype) === null;
}
