import { familyTable } from '../../src/config/load/families.js';
import { families, variableOf, type Row } from '../../src/config/schema/index.js';

/** The parts of `docs/configuration.md` that are generated from the schema. */
export function generated(): Readonly<Record<string, string>> {
  return { keys: keyTables(), families: familiesTable() };
}

/** Puts generated parts between their marks. */
export function withGenerated(text: string): string {
  return Object.entries(generated()).reduce(
    (all, [name, part]) =>
      all.replace(
        new RegExp(`(<!-- generated: ${name} -->\n)[^]*?(<!-- end -->)`),
        (_, from: string, to: string) => `${from}\n${part}\n\n${to}`,
      ),
    text,
  );
}

function keyTables(): string {
  return Object.entries(families)
    .map(([heading, rows]) =>
      [
        `### ${heading}`,
        '',
        '| key | default | what it does | in code |',
        '|---|---|---|---|',
        ...rows.map(line),
      ].join('\n'),
    )
    .join('\n\n');
}

function line(row: Row): string {
  const also = (row.aliases ?? []).map((alias) => `<br>also \`${alias}\``).join('');
  const cells = [
    `\`${row.key}\`${also}`,
    row.fallback,
    [row.doc, rule(row), place(row)].filter((part) => part !== '').join(' '),
    `\`${row.option}\``,
  ];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

function rule({ kind }: Row): string {
  if (kind.name === 'flag' || kind.rule === 'a string that is not empty') return '';
  return `Must be ${kind.rule}.`;
}

function place(row: Row): string {
  if (row.where === 'code') return 'Only in code.';
  return variableOf(row) === undefined ? 'Not from the environment.' : '';
}

function familiesTable(): string {
  const names = (keys: readonly string[]): string => keys.map((key) => `\`${key}\``).join(', ');
  return [
    '| what | first | then | then | last |',
    '|---|---|---|---|---|',
    ...familyTable.map(({ meaning, groups }) => {
      const cells = [...groups.map(names), '', '', ''].slice(0, 4);
      return `| ${meaning} | ${cells.join(' | ')} |`;
    }),
  ].join('\n');
}
