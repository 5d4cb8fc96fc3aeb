import { schema, variableName, variableOf, type Row } from '../schema/index.js';
import { nearest } from '../nearest.js';
import type { Settings } from './settings.js';

type Environment = Readonly<Record<string, string | undefined>>;

const variables: ReadonlyMap<string, { readonly row: Row; readonly key: string }> = new Map(
  schema.flatMap((row) =>
    [row.key, ...(row.aliases ?? [])].flatMap((key) => {
      const variable = variableOf(row, key);
      return variable === undefined ? [] : [[variable, { row, key }] as const];
    }),
  ),
);

/** The variables that keys with a `<name>` would have. */
const named = schema
  .filter(({ key }) => key.includes('<'))
  .map(({ key }) => ({ key, test: new RegExp(`^${variableName(key).replace(/<\w+>/g, '.+')}$`) }));

const ours = /^(S3|STATE|EXECUTION|RESTART_STRATEGY|SECURITY_DELEGATION)_/;

/**
 * Reads the variables of keys, in upper case with `_` for `.` and `-`. Empty variables are ignored. Other variables belong to
 * other programs, but a name that is similar to one of ours, or of a key that variables cannot set, gets a warning.
 */
export function readEnvironment(settings: Settings, env: Environment): void {
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined || value === '') continue;
    const known = variables.get(name);
    if (known === undefined) {
      if (ours.test(name)) stranger(settings, name);
      continue;
    }
    const { row, key } = known;
    settings.found({ row, key: row.key, names: [] }, key, value, {
      from: 'environment',
      where: `environment variable ${name}`,
    });
  }
}

function stranger(settings: Settings, name: string): void {
  const pattern = named.find(({ test }) => test.test(name));
  if (pattern !== undefined) {
    settings.warnings.push(
      `Environment variable ${name} is not used: ${pattern.key} is for files and code, since a variable's name cannot hold the name of a bucket.`,
    );
    return;
  }
  const suggestion = nearest(name, [...variables.keys()]);
  if (suggestion !== undefined && Math.abs(suggestion.length - name.length) <= 2) {
    settings.warnings.push(`Environment variable ${name} is not an option. Did you mean ${suggestion}?`);
  }
}
