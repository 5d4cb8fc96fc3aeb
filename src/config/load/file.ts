import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { isAlias, isMap, isPair, isScalar, LineCounter, parseDocument } from 'yaml';
import type { Sayings } from './said.js';

/** The file that is read where none is named, if it is there. */
export const defaultFile = 'millrace.yaml';

/**
 * Reads a YAML file: flat keys, nested maps, or both. Every scalar is taken as it is written, so that a secret of digits
 * stays a text; the schema knows what it means.
 */
export function readFile(sayings: Sayings, cwd: string, named: string | undefined, by: string): void {
  const path = resolve(cwd, named ?? defaultFile);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const { code = 'error' } = error as NodeJS.ErrnoException;
    if (named === undefined && (code === 'ENOENT' || code === 'ENOTDIR')) return;
    sayings.problem('InvalidFile', path, `${path} (${by}) cannot be read: ${code}.`);
    return;
  }
  readYaml(sayings, path, text);
}

export function readYaml(sayings: Sayings, path: string, text: string): void {
  const lines = new LineCounter();
  const line = (offset: number | undefined): number => lines.linePos(offset ?? 0).line;
  const document = parseDocument(text, { schema: 'failsafe', lineCounter: lines, prettyErrors: false });
  if (document.errors.length > 0) {
    // The parser's own messages may repeat what the file says, secrets included.
    for (const { code, pos } of document.errors) {
      sayings.problem('InvalidFile', path, `${path}, line ${line(pos[0])}: this is no valid YAML (${code}).`);
    }
    return;
  }
  const visit = (node: unknown, prefix: string): void => {
    const at = isAlias(node) ? node.resolve(document) : node;
    if (!isMap(at)) {
      const key = prefix === '' ? path : prefix;
      sayings.problem('InvalidFile', path, `${key} in ${path} must be a map of keys and values.`);
      return;
    }
    for (const pair of at.items) {
      if (!isPair(pair) || !isScalar(pair.key)) {
        sayings.problem('InvalidFile', path, `${path}: a key below '${prefix}' is no text.`);
        continue;
      }
      const name = String(pair.key.value);
      const key = prefix === '' ? name : `${prefix}.${name}`;
      const value = isAlias(pair.value) ? pair.value.resolve(document) : pair.value;
      if (isMap(value)) visit(value, key);
      else {
        const said = isScalar(value) ? value.value : value === null ? '' : [];
        sayings.say(key, said, { from: 'file', where: `${path}, line ${line(pair.key.range?.[0])}` });
      }
    }
  };
  if (document.contents !== null && !(isScalar(document.contents) && document.contents.value === ''))
    visit(document.contents, '');
}
