import type { Service } from '../../src/index.js';

/** What `Open` gives the operators of marble files. */
export function marbleServices(): ReadonlyMap<Service<unknown>, unknown> {
  return new Map();
}
