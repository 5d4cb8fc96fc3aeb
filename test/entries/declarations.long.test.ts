/**
 * The public names, by list: to add, rename or remove one, change `names/` as well. And every type that a public signature
 * mentions has a name that its reader can import. Both are read from one program of TypeScript.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { declarations, root, sourceOf } from './entries.js';

/** Where the types of a signature may come from besides its own entry. */
const bases = ['millrace', 'millrace/operators', 'millrace/stores'];
const alsoFrom: Readonly<Record<string, readonly string[]>> = {
  // It has stores to try a job on; all about the gateway is in the other.
  millrace: ['millrace/testing'],
  'millrace/fs': ['millrace/operations'],
};
/** What users only pass on: its members belong to the runtime. */
const opaque: ReadonlySet<string> = new Set(['StateSpec']);

const entries = Object.keys(declarations);
const config = ts.readConfigFile(join(root, 'tsconfig.json'), (path) => ts.sys.readFile(path));
const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, root);

const sources = ts.createProgram(
  entries.map((entry) => join(root, sourceOf(entry))),
  {
    ...options,
    noEmit: false,
    declaration: true,
    emitDeclarationOnly: true,
    noCheck: true,
    rootDir: join(root, 'src'),
    outDir: join(root, 'dist-of-test'),
  },
);
const sourceChecker = sources.getTypeChecker();

/** The declarations as they are published: without what is private, and with what is inferred. */
const program = ((): ts.Program => {
  const emitted = new Map<string, string>();
  sources.emit(undefined, (name, text) => emitted.set(name, text));
  const host = ts.createCompilerHost(options);
  const fileExists = host.fileExists.bind(host);
  const getSourceFile = host.getSourceFile.bind(host);
  host.fileExists = (name) => emitted.has(name) || fileExists(name);
  // Nothing is written to the disk: directories are not there either.
  delete host.directoryExists;
  host.getSourceFile = (name, ...rest) => {
    const text = emitted.get(name);
    if (text !== undefined) return ts.createSourceFile(name, text, ts.ScriptTarget.Latest, true);
    return sources.getSourceFile(name) ?? getSourceFile(name, ...rest);
  };
  return ts.createProgram(
    [...emitted.keys()].filter((name) => name.endsWith('.d.ts')),
    options,
    host,
  );
})();
const checker = program.getTypeChecker();
const ours = (file: ts.SourceFile): boolean => file.fileName.includes('/dist-of-test/');

function resolved(symbol: ts.Symbol): ts.Symbol {
  const real = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
  if (real.declarations === undefined) throw new Error(`${symbol.name} leads nowhere.`);
  return real;
}

const exported = new Map(
  entries.map((entry) => {
    const name = sourceOf(entry).replace(/^src\/(.*)\.ts$/, '$1.d.ts');
    const file = program.getSourceFile(join(root, 'dist-of-test', name));
    const module = file === undefined ? undefined : checker.getSymbolAtLocation(file);
    if (module === undefined) throw new Error(`${entry} is no module.`);
    return [entry, new Set(checker.getExportsOfModule(module).map(resolved))] as const;
  }),
);

/** The types of ours that a declaration mentions. */
function mentioned(symbol: ts.Symbol): Set<ts.Symbol> {
  const found = new Set<ts.Symbol>();
  const visit = (node: ts.Node): void => {
    if (
      ts.canHaveModifiers(node) &&
      ts.getModifiers(node)?.some(({ kind }) => kind === ts.SyntaxKind.PrivateKeyword)
    )
      return;
    const name = ts.isTypeReferenceNode(node)
      ? node.typeName
      : ts.isExpressionWithTypeArguments(node)
        ? node.expression
        : ts.isImportTypeNode(node)
          ? node.qualifier
          : undefined;
    const at = name === undefined ? undefined : checker.getSymbolAtLocation(name);
    if (at !== undefined) {
      const type = resolved(at);
      const isParameter = (type.flags & ts.SymbolFlags.TypeParameter) !== 0;
      if (!isParameter && type.declarations?.some((one) => ours(one.getSourceFile())) === true)
        found.add(type);
    }
    ts.forEachChild(node, visit);
  };
  for (const declaration of symbol.declarations ?? [])
    if (ours(declaration.getSourceFile())) visit(declaration);
  found.delete(symbol);
  return found;
}

test.each(entries)('every type in the signatures of %s can be imported', (entry) => {
  const known = new Set(
    [entry, ...bases, ...(alsoFrom[entry] ?? [])].flatMap((each) => [...(exported.get(each) ?? [])]),
  );
  const missing: string[] = [];
  const seen = new Set<ts.Symbol>();
  const look = (symbol: ts.Symbol): void => {
    if (seen.has(symbol)) return;
    seen.add(symbol);
    if (opaque.has(symbol.name)) return;
    for (const type of mentioned(symbol)) {
      if (known.has(type)) continue;
      missing.push(`${type.name} in ${symbol.name}`);
      look(type);
    }
  };
  for (const symbol of exported.get(entry) ?? []) look(symbol);
  expect(missing.sort()).toEqual([]);
});

interface Names {
  readonly values: readonly string[];
  readonly types: readonly string[];
}

function namesOf(entry: string): Names {
  const source = sources.getSourceFile(join(root, sourceOf(entry)));
  const module = source === undefined ? undefined : sourceChecker.getSymbolAtLocation(source);
  if (module === undefined) throw new Error(`${entry} is no module.`);
  const names = { values: [] as string[], types: [] as string[] };
  for (const symbol of sourceChecker.getExportsOfModule(module)) {
    const real = symbol.flags & ts.SymbolFlags.Alias ? sourceChecker.getAliasedSymbol(symbol) : symbol;
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
