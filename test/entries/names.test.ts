/** The public names, by list: to add, rename or remove one, change `names/` as well. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { declarations, root, sourceOf } from './entries.js';

const entries = Object.keys(declarations);
const config = ts.readConfigFile(join(root, 'tsconfig.json'), (path) => ts.sys.readFile(path));
const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, root);
const program = ts.createProgram(
  entries.map((entry) => join(root, sourceOf(entry))),
  options,
);
const checker = program.getTypeChecker();

interface Names {
  readonly values: readonly string[];
  readonly types: readonly string[];
}

function namesOf(entry: string): Names {
  const source = program.getSourceFile(join(root, sourceOf(entry)));
  const module = source === undefined ? undefined : checker.getSymbolAtLocation(source);
  if (module === undefined) throw new Error(`${entry} is no module.`);
  const names = { values: [] as string[], types: [] as string[] };
  for (const symbol of checker.getExportsOfModule(module)) {
    const real = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
    (real.flags & ts.SymbolFlags.Value ? names.values : names.types).push(symbol.name);
  }
  return { values: names.values.sort(), types: names.types.sort() };
}

const listOf = (entry: string): string => join('test/entries/names', `${entry.replace('/', '-')}.txt`);

function listed(entry: string): Names {
  const [values = '', types = ''] = readFileSync(join(root, listOf(entry)), 'utf8').split(/^types:$/m);
  const words = (text: string): string[] => [...text.matchAll(/^ {2}(\w+)$/gm)].map(([, word = '']) => word);
  return { values: words(values), types: words(types) };
}

test.each(entries)('%s exports exactly the names in its list', (entry) => {
  expect(namesOf(entry)).toEqual(listed(entry));
});

/** In the root as well: stores to try a job on. */
const tried = ['createMemoryStore', 'createStores', 'decorate', 'listAll', 'openStores', 'startGateway'];

test('each name is exported by one entry', () => {
  // millrace/fs has the names of node:fs, and millrace/operations those of what people do with files.
  const unlike = entries.filter((entry) => !['millrace/fs', 'millrace/operations'].includes(entry));
  const homes = new Map<string, string[]>();
  for (const entry of unlike) {
    const { values, types } = namesOf(entry);
    for (const name of [...values, ...types]) homes.set(name, [...(homes.get(name) ?? []), entry]);
  }
  expect([...homes].filter(([name, all]) => all.length > 1 && !tried.includes(name))).toEqual([]);
});
