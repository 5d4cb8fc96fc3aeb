import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

export const root = resolve(import.meta.dirname, '../..');

interface Manifest {
  readonly exports: Readonly<Record<string, string | { readonly types: string }>>;
}

/** The entries of the package that are modules, `millrace/stores` and so on, with the declarations that package.json names. */
export const declarations: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries((JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest).exports).flatMap(
    ([name, target]) => (typeof target === 'string' ? [] : [[`millrace${name.slice(1)}`, target.types]]),
  ),
);

/** The source of an entry, from the package's root. */
export const sourceOf = (entry: string): string =>
  (declarations[entry] ?? '').replace(/^\.\/dist\/(.*)\.d\.ts$/, 'src/$1.ts');
