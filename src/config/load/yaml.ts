import { createRequire } from 'node:module';
import type * as Yaml from 'yaml';

/**
 * The parser, loaded when there is a file to parse: most programs have none. `import()` would make `loadConfig` asynchronous.
 * Throws where the package is not there, as in a bundle that does not contain it.
 */
export function loadYaml(): typeof Yaml {
  return createRequire(import.meta.url)('yaml') as typeof Yaml;
}
