import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseDocument } from 'yaml';
import { loadConfig } from '../../src/config/index.js';
import { readYaml } from '../../src/config/load/file.js';
import { Settings } from '../../src/config/load/settings.js';
import { schema } from '../../src/config/schema/index.js';
import { withGenerated } from './documented.js';

const path = join(import.meta.dirname, '../../docs/configuration.md');

test('docs/configuration.md agrees with the schema (MILLRACE_WRITE_DOCS=1 writes it)', () => {
  const text = readFileSync(path, 'utf8');
  const should = withGenerated(text);
  if (process.env['MILLRACE_WRITE_DOCS'] === '1') writeFileSync(path, should);
  else expect(text).toBe(should);
  for (const { key } of schema) expect(should).toContain(`\`${key}\``);
});

test('the examples of the page load', () => {
  const examples = [...readFileSync(path, 'utf8').matchAll(/```yaml\n([^]*?)```/g)].map(
    ([, yaml]) => yaml ?? '',
  );
  expect(examples.length).toBeGreaterThan(3);
  for (const yaml of examples) {
    expect(parseDocument(yaml).errors).toEqual([]);
    const settings = new Settings();
    readYaml(settings, 'example', yaml);
    expect(settings.problems).toEqual([]);
    const set = Object.fromEntries(settings.all.map(({ key, value }) => [key, value]));
    expect(loadConfig({ set: written(set), env: {}, file: false }).warnings).toEqual([]);
  }
});

/** Values as a command line has them. */
function written(values: Readonly<Record<string, unknown>>): Record<string, string> {
  const back: Readonly<Record<string, string>> = { 'when-required': 'disabled' };
  return Object.fromEntries(
    Object.entries(values).map(([key, value]) => [key, back[String(value)] ?? String(value)]),
  );
}
