import type { Command } from 'commander';
import { families, fill, type Row } from '../../config/schema/index.js';
import type { Config } from '../../config/index.js';
import { examples } from '../help.js';
import { fields, printable } from '../render/text.js';
import type { Session, Start } from '../session.js';

export function config(program: Command, start: Start): void {
  program
    .command('config')
    .description('shows the effective settings, and where each comes from; secrets are hidden')
    .option('-a, --all', 'also settings that are not set, with their defaults')
    .addHelpText(
      'after',
      examples(
        ['millrace config', 'what is set: on the command line, in the environment, in millrace.yaml'],
        ['millrace config --all', 'every key there is'],
      ),
    )
    .action((options: { readonly all?: true }) => start((session) => show(session, options.all === true)));
}

interface Setting {
  readonly family: string;
  readonly key: string;
  /** As shown. */
  readonly value: string;
  readonly from: string;
  readonly where: string;
}

function show({ config: loaded, out, err, json, quiet }: Session, all: boolean): Promise<void> {
  const settings = settingsOf(loaded).filter(({ from }) => all || from !== 'default');
  if (json) for (const { key, value, from, where } of settings) out.record({ key, value, from, where });
  else {
    let family = '';
    const lines = fields(
      settings.map(({ key, value, from, where }) => [
        key,
        from === 'default' ? value : `${value}   (${where})`,
      ]),
    );
    for (const [i, setting] of settings.entries()) {
      if (setting.family !== family) {
        if (i > 0) out.line('');
        out.line(setting.family);
      }
      ({ family } = setting);
      out.line(`  ${printable(lines[i] ?? '')}`);
    }
    if (settings.length === 0 && !quiet) err.line('Nothing is set: defaults apply. --all shows them.');
  }
  return Promise.resolve();
}

function settingsOf(loaded: Config): Setting[] {
  return Object.entries(families).flatMap(([family, rows]) =>
    rows.flatMap((row) => namesOf(row, loaded).map((names) => settingOf(family, row, names, loaded))),
  );
}

/** The values of `<name>` in a key: every configured bucket, and every name below it. */
function namesOf(row: Row, loaded: Config): string[][] {
  let found: { readonly names: string[]; readonly at: unknown }[] = [{ names: [], at: loaded }];
  for (const step of row.option.split('.')) {
    found = found.flatMap(({ names, at }) => {
      if (!step.startsWith('<')) return [{ names, at: valueAt(at, step) }];
      return typeof at === 'object' && at !== null
        ? Object.keys(at).map((name) => ({ names: [...names, name], at: valueAt(at, name) }))
        : [];
    });
  }
  return found.map(({ names }) => names);
}

function settingOf(family: string, row: Row, names: readonly string[], loaded: Config): Setting {
  const key = fill(row.key, names);
  const { from, where } = loaded.origin(key);
  const path = fill(
    row.option,
    names.map((name) => name.replaceAll('.', '\u0000')),
  ).split('.');
  const value = path.reduce<unknown>((at, step) => valueAt(at, step.replaceAll('\u0000', '.')), loaded);
  return { family, key, from, where, value: from === 'default' ? row.fallback : shown(row, value) };
}

function shown({ kind }: Row, value: unknown): string {
  if (kind.name === 'secret' || kind.name === 'code') return '<hidden>';
  if (kind.name === 'uri') return String(value).replace(/[^/]*@/, '<hidden>@');
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean')
    return String(value);
  return value === undefined ? '' : JSON.stringify(value);
}

function valueAt(from: unknown, name: string): unknown {
  return typeof from === 'object' && from !== null && Object.hasOwn(from, name)
    ? (from as Readonly<Record<string, unknown>>)[name]
    : undefined;
}
