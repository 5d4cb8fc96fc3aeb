import { inspect } from 'node:util';
import fc from 'fast-check';
import { stringify } from 'yaml';
import { ConfigError, loadConfig, type Config, type LoadOptions } from '../../src/config/index.js';
import { readYaml } from '../../src/config/load/file.js';
import { Settings } from '../../src/config/load/settings.js';
import { findKey, schema, variableOf } from '../../src/config/schema/index.js';
import { flat } from './arbitrary.js';
import { effort } from '../support/effort.js';

/** The configuration, or the problems with it. */
function load(options: LoadOptions): { config?: Config; problems: readonly string[] } {
  try {
    return { config: loadConfig({ env: {}, file: false, ...options }), problems: [] };
  } catch (error) {
    if (error instanceof ConfigError)
      return { problems: error.problems.map(({ code, key }) => `${code} ${key}`) };
    throw error;
  }
}

const groups = ['s3', 'transfer', 'checkpoints', 'restart', 'state', 'delegationTokens'] as const;

function dataOf(config: Config | undefined): unknown {
  return config === undefined
    ? undefined
    : groups.map((group) => JSON.parse(JSON.stringify(spread(config[group]))) as unknown);
}

/** A copy whose secrets show. */
function spread(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, spread(each)]));
}

test('any string as a file is read, or refused with its problems', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.string({ unit: fc.constantFrom(...Array.from('s3.: -\n&*!"{}[]#|>%@`\t?,')) }),
      ),
      (text) => {
        const settings = new Settings();
        readYaml(settings, 'file', text);
        for (const { message } of settings.problems) expect(message).toMatch(/\S/);
      },
    ),
    { numRuns: effort(80, 500) },
  );
});

test('any value under any key is read, or refused with its problems', () => {
  const keys = schema.map(({ key }) => key.replace('<name>', 'n').replace('<entry>', 'e'));
  fc.assert(
    fc.property(
      fc.oneof(
        fc.constantFrom(...keys),
        fc.string(),
        fc.constantFrom('__proto__', 'toString', 's3.bucket..', 's3.bucket.x'),
      ),
      fc.anything(),
      (key, value) => {
        load({ set: Object.fromEntries([[key, value]]) });
        load({ env: { [variableOf(findKey(key)?.row ?? schema[0]!) ?? 'X']: inspect(value) } });
      },
    ),
    { numRuns: effort(80, 500), examples: [['s3.bucket.n.endpoint', { toString: '' }]] },
  );
});

test('any nested options are read, or refused with their problems', () => {
  fc.assert(
    fc.property(
      fc.dictionary(
        fc.constantFrom('retry', 'sse', 'kms', 'buckets', 'credentials', '__proto__', 'x'),
        fc.object(),
      ),
      (s3) => {
        load({ s3 });
      },
    ),
    { numRuns: effort(100, 300) },
  );
});

test('flat keys mean the same in code, in a file and in the environment', () => {
  fc.assert(
    fc.property(flat, (set) => {
      const first = load({ set });
      const settings = new Settings();
      readYaml(settings, 'file', stringify(set));
      expect(settings.all.map(({ key }) => key).sort()).toEqual(Object.keys(set).sort());
      const env = Object.entries(set).flatMap(([key, value]) => {
        const row = findKey(key)!.row;
        const variable = variableOf(row);
        return variable === undefined ? [] : [[variable, value] as const];
      });
      if (env.length < Object.keys(set).length) return;
      const second = load({ env: Object.fromEntries(env) });
      expect(second.problems).toEqual(first.problems);
      expect(dataOf(second.config)).toEqual(dataOf(first.config));
    }),
    { numRuns: effort(100, 300) },
  );
});

test('what was loaded, passed as options, loads as the same', () => {
  let loaded = 0;
  fc.assert(
    fc.property(flat, (set) => {
      const { config } = load({ set });
      if (config === undefined) return;
      loaded++;
      const { s3, transfer, checkpoints, restart, state, delegationTokens } = config;
      const again = load({ s3, transfer, checkpoints, restart, state, delegationTokens });
      expect(again.problems).toEqual([]);
      expect(dataOf(again.config)).toEqual(dataOf(config));
    }),
    { numRuns: effort(100, 300) },
  );
  expect(loaded).toBeGreaterThan(effort(8, 30));
});
