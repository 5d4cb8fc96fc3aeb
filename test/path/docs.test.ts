import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import ts from 'typescript';
import * as path from '../../src/path/index.js';

const root = resolve(import.meta.dirname, '../..');
const claim = /^(?!const |import )(.*); \/\/ (['[{\d].*|true|false)$/gm;

/** The lines of examples that end in a comment with their value, after the declarations before them. */
function claims(file: string): [string, string, string][] {
  const text = readFileSync(join(root, file), 'utf8').replace(/^ *\* ?/gm, '');
  const blocks = [...text.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code = '']) => code);
  return blocks.flatMap((code) => {
    const before = (code.match(/^const .*;$/gm) ?? []).join('\n');
    return [...code.matchAll(claim)].map(([, expression = '', value = '']): [string, string, string] => [
      before,
      expression,
      value,
    ]);
  });
}

function evaluate(code: string): unknown {
  const { outputText } = ts.transpileModule(code, { compilerOptions: { target: ts.ScriptTarget.ES2022 } });
  // The examples are ours; nothing else gets here.
  // eslint-disable-next-line @typescript-eslint/no-implied-eval, @typescript-eslint/no-unsafe-call
  return new Function(...Object.keys(path), outputText)(...Object.values(path));
}

const all = [
  'docs/paths.md',
  'src/path/uri.ts',
  'src/path/local.ts',
  'src/path/s3Path.ts',
  'src/path/glob.ts',
].flatMap(claims);

test.each(all)('%s %s is %s', (before, expression, value) => {
  expect(evaluate(`${before}\nreturn ${expression};`)).toEqual(evaluate(`return (${value});`));
});

test('the examples return what they show', () => {
  expect(all.length).toBeGreaterThan(45);
});
