import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import ts from 'typescript';
import { root } from './entries.js';

export type ImportGraph = ReadonlyMap<string, readonly string[]>;

const aliases = ts.readConfigFile(join(root, 'tsconfig.json'), (path) => readFileSync(path, 'utf8'))
  .config as {
  readonly compilerOptions: { readonly paths: Readonly<Record<string, readonly string[]>> };
};

/** Modules with those of ours that each imports, types included. `import()` loads later, and is left out. */
export const importGraph = (...folders: readonly string[]): ImportGraph => graphOf(folders, true);

/** Without what is imported for its types alone. */
export const valueGraph = (...folders: readonly string[]): ImportGraph => graphOf(folders, false);

function graphOf(folders: readonly string[], types: boolean): ImportGraph {
  const paths = folders.flatMap((folder) =>
    (readdirSync(join(root, folder), { recursive: true }) as string[])
      .filter((path) => path.endsWith('.ts'))
      .map((path) => join(folder, path)),
  );
  return new Map(paths.map((path) => [path, importsOf(path, types)]));
}

function importsOf(path: string, types: boolean): string[] {
  const text = readFileSync(join(root, path), 'utf8');
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.Latest);
  return file.statements.flatMap((statement) => {
    if (!ts.isImportDeclaration(statement) && !ts.isExportDeclaration(statement)) return [];
    const { moduleSpecifier } = statement;
    if (moduleSpecifier === undefined || !ts.isStringLiteral(moduleSpecifier)) return [];
    if (!types && /^(import|export) type\b/.test(text.slice(statement.getStart(file)))) return [];
    return moduleOf(path, moduleSpecifier.text) ?? [];
  });
}

/** The path of what a module imports by that name; `undefined` if it is not ours. */
export function moduleOf(importer: string, name: string): string | undefined {
  const source = name.replace(/\.js$/, '.ts');
  if (name.startsWith('.')) return relative(root, resolve(root, dirname(importer), source));
  if (name.startsWith('#src/')) return source.slice(1);
  return aliases.compilerOptions.paths[name]?.[0]?.replace('./', '');
}

/** The groups of modules that import each other in a cycle, each in the order of names. Tarjan's algorithm. */
export function circles(graph: ImportGraph): readonly (readonly string[])[] {
  const found: string[][] = [];
  const index = new Map<string, number>();
  const low = new Map<string, number>();
  const stack: string[] = [];
  const visit = (node: string): number => {
    const number = index.size;
    index.set(node, number);
    stack.push(node);
    let lowest = number;
    for (const next of graph.get(node) ?? []) {
      if (!index.has(next)) lowest = Math.min(lowest, visit(next));
      else if (stack.includes(next)) lowest = Math.min(lowest, low.get(next) ?? index.get(next) ?? 0);
    }
    low.set(node, lowest);
    if (lowest === number) {
      const group = stack.splice(stack.indexOf(node));
      if (group.length > 1 || (graph.get(node) ?? []).includes(node)) found.push(group.sort());
    }
    return lowest;
  };
  for (const node of graph.keys()) if (!index.has(node)) visit(node);
  return found;
}
