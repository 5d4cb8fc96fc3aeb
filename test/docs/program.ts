import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import ts from 'typescript';

const root = resolve(import.meta.dirname, '../..');

export type Names = Readonly<Record<string, unknown>>;

/** The programs of a page, as they are shown. */
export function examplesOf(page: string): string[] {
  const text = readFileSync(join(root, page), 'utf8');
  return [...text.matchAll(/```(?:ts|js)\n([\s\S]*?)```/g)].map(([, code = '']) => code);
}

export function exampleOf(page: string, n = 0): string {
  const code = examplesOf(page)[n];
  if (code === undefined) throw new Error(`${page} has no example ${n}`);
  return code;
}

/** Runs an example. What it imports is taken from `modules`, and nothing else of them is there; `globals` are. */
export async function runExample(code: string, modules: Names, globals: Names = {}): Promise<void> {
  const imported = [...code.matchAll(/^import \{([^}]*)\} from '[^']*';$/gm)].flatMap(([, list = '']) =>
    list
      .split(',')
      .map((name) => name.trim())
      .filter((name) => name !== '' && !name.startsWith('type ')),
  );
  const missing = imported.filter((name) => !(name in modules));
  if (missing.length > 0) throw new Error(`Nothing exports ${missing.join()}`);
  const names: Names = { ...Object.fromEntries(imported.map((name) => [name, modules[name]])), ...globals };
  const { outputText } = ts.transpileModule(code.replace(/^import .*$/gm, ''), {
    compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext },
  });
  const body = outputText.replace(/^export \{\};?$/gm, '');
  // eslint-disable-next-line @typescript-eslint/no-implied-eval -- it is our own page
  const program = new Function(...Object.keys(names), `return (async () => {${body}})();`) as (
    ...values: readonly unknown[]
  ) => Promise<void>;
  await program(...Object.values(names));
}
