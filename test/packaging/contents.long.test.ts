/** The content of the package, and what an install adds and runs. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { manifest, page, Project, root } from './project.js';

let project: Project;
let packed: string;
let files: readonly string[];

beforeAll(async () => {
  project = await Project.create();
  packed = project.path('node_modules/millrace');
  files = readdirSync(packed, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(packed.length + 1));
});
afterAll(() => project.remove());

test('contains code with declarations and maps, the documentation, and nothing else', () => {
  const strange = files.filter(
    (name) =>
      !/^((README|CONTRIBUTING)\.md|LICENSE|package\.json|docs\/([\w-]+\/)?[\w-]+\.md|dist\/.*\.(js|js\.map|d\.ts))$/.test(
        name,
      ),
  );
  expect(strange).toEqual([]);
  expect(files).toContain('dist/index.js');
  expect(files).toContain('docs/packaging.md');
});

test('maps contain their sources, as src/ is not in the package', () => {
  const maps = files.filter((name) => name.endsWith('.map'));
  expect(maps.length).toBeGreaterThan(100);
  for (const name of maps) {
    const map = JSON.parse(readFileSync(join(packed, name), 'utf8')) as {
      sources: string[];
      sourcesContent?: string[];
    };
    expect([name, map.sourcesContent?.length]).toEqual([name, map.sources.length]);
  }
});

/** Pages for contributors link to the code, which they have. */
const intoCode = /^docs\/(architecture|protocol)\.md: (src|test|examples)\//;

test('links of its pages lead to files in it', () => {
  const broken = files
    .filter((name) => name.endsWith('.md'))
    .flatMap((name) =>
      [...readFileSync(join(packed, name), 'utf8').matchAll(/\]\((?!https?:)([^)#]+)/g)]
        .map(([, target = '']) => join(dirname(name), target))
        .filter((target) => !existsSync(join(packed, target)))
        .map((target) => `${name}: ${target}`)
        .filter((link) => !intoCode.test(link)),
    );
  expect(broken).toEqual([]);
});

test('declarations need no TypeScript later than 5.4: none has a Buffer or a typed array with type arguments', () => {
  const later = files.filter(
    (name) =>
      name.endsWith('.d.ts') &&
      /\b(Buffer|\w+Array)<(?=ArrayBuffer)/.test(readFileSync(join(packed, name), 'utf8')),
  );
  expect(later).toEqual([]);
});

test('an install runs no script but that of an optional add-on', () => {
  expect(Object.keys(manifest.scripts).filter((name) => /^(pre|post)?install$|^prepare$/.test(name))).toEqual(
    [],
  );
  expect(installed().filter(({ hasInstallScript }) => hasInstallScript)).toEqual([
    expect.objectContaining({ name: 'msgpackr-extract', optional: true }),
  ]);
});

test('the page explains each dependency', () => {
  const rows = [...page.matchAll(/^\| (`@?[a-z][^|]*)\| [^|]+\|$/gm)].flatMap(([, cell = '']) =>
    [...cell.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name),
  );
  const all = [...Object.keys(manifest.dependencies), ...Object.keys(manifest.peerDependencies)];
  expect(rows.filter((name) => all.includes(name)).sort()).toEqual(all.sort());
});

interface Locked {
  readonly name: string;
  readonly optional?: boolean;
  readonly hasInstallScript?: boolean;
}

/** All that comes with millrace, dependencies of dependencies included, as the lock file has them. */
function installed(): readonly Locked[] {
  interface Entry extends Omit<Locked, 'name'> {
    readonly dependencies?: Readonly<Record<string, string>>;
    readonly optionalDependencies?: Readonly<Record<string, string>>;
  }
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    readonly packages: Readonly<Record<string, Entry>>;
  };
  const found = new Map<string, Locked>();
  const visit = (from: string, name: string): void => {
    for (let dir = from; ; dir = dir.slice(0, Math.max(0, dir.lastIndexOf('/node_modules/')))) {
      const path = `${dir === '' ? '' : `${dir}/`}node_modules/${name}`;
      const entry = packages[path];
      if (entry !== undefined && !found.has(path)) {
        found.set(path, { ...entry, name });
        for (const next of Object.keys({ ...entry.dependencies, ...entry.optionalDependencies }))
          visit(path, next);
      }
      if (entry !== undefined || dir === '') return;
    }
  };
  for (const name of ['rxjs', ...Object.keys(manifest.dependencies)]) visit('', name);
  expect(found.size).toBeGreaterThan(30);
  return [...found.values()];
}
