import { findOption, schema } from '../schema/index.js';
import { nearest } from '../nearest.js';
import type { Origin, Settings } from './settings.js';

const origin: Origin = { from: 'code', where: 'options in code' };

/** Reads typed, nested options: `{ s3: { region }, transfer: { partSize } }`. */
export function readCode(settings: Settings, options: Readonly<Record<string, unknown>>): void {
  const visit = (value: unknown, path: readonly string[]): void => {
    if (value === undefined) return;
    const name = path.join('.');
    const found = findOption(path);
    const named = typeof value === 'string' && path[0] === 's3' && path.at(-1) === 'credentials';
    if (found !== undefined && (!isPlain(value) || found.row.kind.name === 'code'))
      settings.found(found, name, named ? { provider: value } : value, origin);
    else if (isPlain(value) && leadsOn(path)) {
      for (const [key, each] of Object.entries(value)) visit(each, [...path, key]);
    } else settings.unknown(name, origin, () => nearest(name, optionNames));
  };
  for (const [key, value] of Object.entries(options)) visit(value, [key]);
}

const optionNames = [...new Set(schema.map(({ option }) => option))];

const steps = optionNames.map((option) => option.split('.'));

/** Whether the path is a proper prefix of an option's. */
function leadsOn(path: readonly string[]): boolean {
  return steps.some(
    (option) =>
      option.length > path.length &&
      path.every((step, i) => option[i] === step || option[i]?.startsWith('<')),
  );
}

function isPlain(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}
