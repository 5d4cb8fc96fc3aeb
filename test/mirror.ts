import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import ts from 'typescript';
import { root } from './entries/entries.js';
import { moduleOf, type ImportGraph } from './entries/graph.js';

/** Files that have no test of their name, and what tests them instead. */
export interface Whole {
  /** Paths in `src`; `{a,b}` and `*` as in a shell. */
  readonly files: string;
  /** The path in `test`. */
  readonly by: string;
  readonly because: string;
}

/** Paths of files below a folder, from there. */
export function filesOf(folder: string, suffix: string): readonly string[] {
  return (readdirSync(join(root, folder), { recursive: true }) as string[])
    .filter((path) => path.endsWith(suffix))
    .sort();
}

/** Whether a file has something to test: more than types, and more than what it exports of others. */
export function hasCode(path: string): boolean {
  const text = readFileSync(join(root, path), 'utf8');
  return ts
    .createSourceFile(path, text, ts.ScriptTarget.Latest)
    .statements.some(
      (statement) =>
        !ts.isInterfaceDeclaration(statement) &&
        !ts.isTypeAliasDeclaration(statement) &&
        !ts.isImportDeclaration(statement) &&
        !ts.isExportDeclaration(statement),
    );
}

/**
 * `store/pages.ts` is tested by `store/pages.test.ts` and `store/pages.faults.test.ts`. The main file of a folder,
 * `state/index.ts` or `laws/laws.ts`, may be tested by `state.test.ts` beside the folder.
 */
export function testsOf(path: string, tests: readonly string[]): readonly string[] {
  const name = path.replace(/\.ts$/, '');
  const folder = dirname(path);
  const isMain = ['index', basename(folder)].includes(basename(name));
  return tests.filter((test) =>
    [name, ...(isMain ? [folder] : [])].some((own) => test.startsWith(`${own}.`)),
  );
}

/** Whether a glob of shells, with `{a,b}` and `*` in a name and `**` for any folders, matches. */
export function matches(pattern: string, path: string): boolean {
  const source = pattern
    .replaceAll('.', '\\.')
    .replaceAll('**/', '(?:[^/]+/)§')
    .replaceAll('*', '[^/]*')
    .replaceAll('§', '*')
    .replace(/\{([^}]*)\}/g, (_, names: string) => `(?:${names.replaceAll(',', '|')})`);
  return new RegExp(`^${source}$`).test(path);
}

/** The modules that one imports later, by `import()`; of ours, or else itself. Files are read once. */
const later = new Map<string, readonly string[]>();
function importedLater(path: string): readonly string[] {
  let found = later.get(path);
  if (found === undefined) {
    const imports = readFileSync(join(root, path), 'utf8').matchAll(/\bimport\('([^']+)'\)/g);
    found = [...imports].map(([, name = '']) => moduleOf(path, name) ?? path);
    later.set(path, found);
  }
  return found;
}

/** All modules that one has in the end, those that it imports later included. */
export function reached(graph: ImportGraph, from: string): ReadonlySet<string> {
  const seen = new Set([from]);
  for (const path of seen) {
    for (const next of graph.get(path) ?? []) seen.add(next);
    if (!graph.has(path)) continue;
    for (const next of importedLater(path)) seen.add(next);
  }
  return seen;
}
