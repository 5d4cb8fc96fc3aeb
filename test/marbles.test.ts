import { readdirSync, readFileSync } from 'node:fs';
import * as rxjs from 'rxjs';
import type { Observable, OperatorFunction } from 'rxjs';
import * as millrace from '../src/index.js';
import { parseMarbleFile, runMarbles } from '../src/testing/index.js';
import { marbleServices } from './support/marbleServices.js';

const root = new URL('../marbles/', import.meta.url);
const scope = new Map(
  Object.entries({ ...rxjs, ...millrace }).filter(([name]) => /^[a-z]\w*$/i.test(name) && name !== 'default'),
);

/** The operator line of a marble file is JavaScript over RxJS and millrace. */
function evaluate(expression: string, in2: Observable<unknown>): OperatorFunction<unknown, unknown> {
  // eslint-disable-next-line @typescript-eslint/no-implied-eval -- our own files, and the expression is the documentation
  const make = new Function('in2', ...scope.keys(), `return (${expression});`);
  return (make as (...args: unknown[]) => OperatorFunction<unknown, unknown>)(in2, ...scope.values());
}

for (const operator of readdirSync(root)) {
  describe(operator, () => {
    for (const name of readdirSync(new URL(`${operator}/`, root)).filter((each) =>
      each.endsWith('.marble'),
    )) {
      const file = parseMarbleFile(readFileSync(new URL(`${operator}/${name}`, root), 'utf8'));
      test(file.title, () => {
        const results = runMarbles(file, (in2) => evaluate(file.operator, in2), marbleServices());
        expect(results.length).toBeGreaterThan(0);
        for (const { line, expected, actual } of results)
          expect({ [line]: actual }).toEqual({ [line]: expected });
      });
    }
  });
}

test('every exported operator has a marble', () => {
  const names = readdirSync(new URL('../src/operators/', import.meta.url))
    .filter((file) => file.endsWith('.ts'))
    .map((file) => file.replace('.ts', ''));
  expect(readdirSync(root)).toEqual(expect.arrayContaining([...names, 'fileSink']));
});

test.each(readdirSync(root))('a marble shows what %s does with watermarks', (operator) => {
  const folder = new URL(`${operator}/`, root);
  const texts = readdirSync(folder).map((name) => readFileSync(new URL(name, folder), 'utf8'));
  expect(texts.filter((text) => /^\w = W\d+ ?/m.test(text))).not.toEqual([]);
});
