import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { isAlias, isMap, isScalar, LineCounter, parseDocument, type Document } from 'yaml';
import type { Settings } from './settings.js';

/** The default file, read if it exists. */
export const defaultFile = 'millrace.yaml';

/** The maximum nesting. Keys have fewer steps, and the parser allows many more. */
const deepest = 32;

/**
 * Reads a YAML file: flat keys, nested maps, or both. Every scalar is read as a string, so that a secret of digits stays as it
 * is; the schema parses it.
 */
export function readFile(settings: Settings, cwd: string, named: string | undefined, by: string): void {
  const path = resolve(cwd, named ?? defaultFile);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const { code = 'error' } = error as NodeJS.ErrnoException;
    if (named === undefined && (code === 'ENOENT' || code === 'ENOTDIR')) return;
    const why = code === 'ENOENT' ? 'does not exist' : `cannot be read: ${code}`;
    settings.problem('InvalidFile', path, `${path} (${by}) ${why}.`);
    return;
  }
  readYaml(settings, path, text);
}

export function readYaml(settings: Settings, path: string, text: string): void {
  const lines = new LineCounter();
  const wrong = (offset: number | undefined, what: string): void => {
    const at = offset === undefined ? '' : `, line ${lines.linePos(offset).line}`;
    settings.problem('InvalidFile', path, `${path}${at}: ${what}.`);
  };
  let document: Document;
  try {
    document = parseDocument(text, {
      schema: 'failsafe',
      lineCounter: lines,
      prettyErrors: false,
      // Checked below: the parser takes quadratic time.
      uniqueKeys: false,
    });
  } catch {
    wrong(undefined, 'this is nested too deeply');
    return;
  }
  // The parser's own messages may contain secrets of the file.
  for (const { code, pos } of document.errors) wrong(pos[0], `this is not valid YAML (${code})`);
  if (document.errors.length > 0) return;

  const visit = (map: unknown, prefix: string, depth: number): void => {
    if (!isMap(map)) {
      wrong(rangeOf(map), 'the file must be a map of keys and values');
      return;
    }
    const met = new Set<unknown>();
    for (const { key: name, value } of map.items) {
      const offset = rangeOf(name);
      const twice = isScalar(name) && met.has(name.value);
      if (isScalar(name)) met.add(name.value);
      if (!isScalar(name)) wrong(offset, 'a key must be a string');
      else if (twice) wrong(offset, 'this is not valid YAML (DUPLICATE_KEY)');
      // Aliases may be circular.
      else if (isAlias(value)) wrong(offset, 'aliases are not read: write the value out');
      else {
        const key = prefix === '' ? String(name.value) : `${prefix}.${String(name.value)}`;
        if (isMap(value) && depth < deepest) visit(value, key, depth + 1);
        else {
          const written = isScalar(value) ? value.value : value === null ? '' : [];
          const where = `${path}, line ${lines.linePos(offset ?? 0).line}`;
          settings.add(key, written, { from: 'file', where });
        }
      }
    }
  };
  const { contents } = document;
  const empty = contents === null || (isScalar(contents) && contents.value === '');
  if (!empty) visit(contents, '', 1);
}

function rangeOf(node: unknown): number | undefined {
  return (node as { readonly range?: readonly number[] } | null)?.range?.[0];
}
