import type { Report } from './row.js';

/** One report as a JSON line, with numbers rounded to six digits. */
export function jsonLine(report: Report): string {
  return JSON.stringify(report, (_, value: unknown) =>
    typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(6)) : value,
  );
}

/** One report for people: a line per variant, a column per metric, then single figures, then the goals. */
export function table(report: Report): string {
  const grouped = new Map<string, Map<string, string>>();
  for (const [name, value] of Object.entries(report.metrics)) {
    const dot = name.indexOf('.');
    const [group, column] = dot < 0 ? ['', name] : [name.slice(0, dot), name.slice(dot + 1)];
    if (!grouped.has(group)) grouped.set(group, new Map());
    grouped.get(group)!.set(column, figure(value));
  }
  const lines = [report.name];
  for (const [columns, groups] of alike(grouped)) {
    const rows = [
      ['', ...columns],
      ...groups.map(([group, cells]) => [group, ...columns.map((c) => cells.get(c)!)]),
    ];
    const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)));
    for (const row of rows)
      lines.push(
        `  ${row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  ')}`,
      );
  }
  for (const { metric, value, goal, met } of report.goals)
    lines.push(`  ${met ? 'met   ' : 'MISSED'} ${metric} = ${figure(value)} (goal ${figure(goal)})`);
  return lines.join('\n');
}

/** Groups that have the same columns share a table. */
function alike(grouped: ReadonlyMap<string, ReadonlyMap<string, string>>) {
  const tables = new Map<string, [columns: string[], groups: [string, ReadonlyMap<string, string>][]]>();
  for (const [group, cells] of grouped) {
    const columns = [...cells.keys()];
    const key = columns.join();
    if (!tables.has(key)) tables.set(key, [columns, []]);
    tables.get(key)![1].push([group, cells]);
  }
  return tables.values();
}

function figure(value: number): string {
  if (!Number.isFinite(value)) return '–';
  const size = Math.abs(value);
  if (size >= 1e9) return `${(value / 1e9).toFixed(2)} G`;
  if (size >= 1e7) return `${(value / 1e6).toFixed(1)} M`;
  if (size >= 1000) return value.toLocaleString('en', { maximumFractionDigits: 0 });
  return Number.isInteger(value) ? String(value) : value.toPrecision(3);
}
